// What a wrong label costs, and what a class weighs: the options `costs`, `class_weights` and `class_counts`.
#pragma once

#include <algorithm>
#include <map>
#include <rft/json.hpp>
#include <stdexcept>
#include <string>

#include "../common/options.h"
#include "../common/text_form.h"

// costs = { TRUE = { PREDICTED = cost } }. A wrong label that is not named costs 1, the true one 0.
class CostMatrix {
 public:
  CostMatrix() = default;
  CostMatrix(const rft::Fields& fields, const TextForm& form) {
    const auto table = fields.table("costs");
    if (!table) return;
    for (const auto& [label, row] : table->all())
      for (const auto& [predicted, cost] : options::numbers(*table, label))
        rows_[form(label)][form(predicted)] = cost;
  }

  bool empty() const { return rows_.empty(); }

  template <class Visit>
  void for_each_label(const Visit& visit) const {
    for (const auto& [label, row] : rows_) {
      visit(label);
      for (const auto& [predicted, cost] : row) visit(predicted);
    }
  }

  // A completion that is no label costs what the worst label would: nonsense is never the cheapest answer.
  double cost(const std::string& label, const std::string& predicted, bool valid) const {
    const auto row = rows_.find(label);
    if (row == rows_.end()) return predicted == label ? 0 : 1;
    if (valid) {
      const auto cost = row->second.find(predicted);
      return cost != row->second.end() ? cost->second : predicted == label ? 0 : 1;
    }
    double worst = 1;
    for (const auto& [other, cost] : row->second) worst = std::max(worst, cost);
    return worst;
  }

 private:
  std::map<std::string, std::map<std::string, double>> rows_;
};

// How much an episode of each class counts: as given, or balanced from counts as scikit-learn's "balanced"
// is, all / (classes · count), so that every class has the same weight in sum.
inline std::map<std::string, double> class_weights(const rft::Fields& fields, const TextForm& form) {
  std::map<std::string, double> weights;
  for (const auto& [label, weight] : options::numbers(fields, "class_weights")) weights[form(label)] = weight;
  double all = 0;
  const auto counts = options::numbers(fields, "class_counts");
  if (!weights.empty() && !counts.empty())
    throw std::invalid_argument("`class_weights` and `class_counts` exclude each other");
  for (const auto& [label, count] : counts) {
    if (count == 0) throw std::invalid_argument("\"" + label + "\" of \"class_counts\" must be above 0");
    all += count;
  }
  for (const auto& [label, count] : counts)
    weights[form(label)] = all / (static_cast<double>(counts.size()) * count);
  return weights;
}
