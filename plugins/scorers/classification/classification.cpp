// Scores a completion that is meant to be one of a set of labels, and sums a split up with accuracy,
// precision, recall, F1 and cost. README.md defines each number.
#include <map>
#include <rft/scorer.hpp>
#include <set>
#include <stdexcept>
#include <string>

#include "../common/options.h"
#include "../common/text_form.h"
#include "costs.h"
#include "counts.h"

class Classification : public rft::Scorer {
 public:
  explicit Classification(std::string_view text) {
    const rft::Fields fields(text);
    fields.allow_only({"target", "labels", "positive", "strip", "ignore_case", "partial_credit",
                       "require_eos", "costs", "class_weights", "class_counts"});
    target_ = fields.text("target").value_or("output");
    form_ = TextForm(fields);
    require_eos_ = fields.boolean("require_eos").value_or(false);
    partial_credit_ = fields.number("partial_credit").value_or(0);
    for (const auto& label : fields.texts("labels").value_or(std::vector<std::string>()))
      labels_.insert(form_(label));
    if (const auto positive = fields.text("positive")) positive_ = form_(*positive);
    costs_ = CostMatrix(fields, form_);
    weights_ = class_weights(fields, form_);
    check();
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const std::string label = true_label(episode.record());
      const std::string predicted = prediction(episode.completion(), episode.finish_reason());
      const bool valid = is_valid(predicted);
      episode.set_score(weight_of(label) * unweighted_score(label, predicted));
      episode.set_valid(valid);
      if (predicted != label)
        episode.set_reason("expected \"" + label + "\"" + (valid ? "" : ", got no label"));
    }
  }

  void summarize(const rft::Scored& scored, rft::Numbers& numbers) {
    Counts counts(labels_);
    for (size_t i = 0; i < scored.size(); ++i) counts.add_class(true_label(scored.record(i)));
    double cost = 0, num_scored = 0;
    for (size_t i = 0; i < scored.size(); ++i) {
      if (scored.failed(i)) continue;
      const rft_episode& episode = scored.episode(i);
      const std::string label = true_label(scored.record(i));
      const std::string predicted =
          prediction(scored.completion(i), {episode.finish_reason.data, episode.finish_reason.size});
      counts.add(label, predicted);
      cost += costs_.cost(label, predicted, is_valid(predicted));
      ++num_scored;
    }
    for (const auto& [name, value] : counts.metrics(positive_)) numbers.set(name, value);
    if (!costs_.empty() && num_scored > 0) numbers.set("cost_mean", cost / num_scored);
  }

 private:
  // Throws where options contradict each other.
  void check() const {
    if (!(partial_credit_ >= 0 && partial_credit_ < 1))
      throw std::invalid_argument("\"partial_credit\" must be at least 0 and below 1");
    if (partial_credit_ > 0 && labels_.empty())
      throw std::invalid_argument("\"partial_credit\" needs \"labels\": it is for another label of the list");
    if (partial_credit_ > 0 && !costs_.empty())
      throw std::invalid_argument("`costs` and `partial_credit` exclude each other");
    if (!positive_.empty()) check_label(positive_, "positive");
    costs_.for_each_label([&](const std::string& label) { check_label(label, "costs"); });
    for (const auto& [label, weight] : weights_) check_label(label, "class_weights or class_counts");
  }
  void check_label(const std::string& label, const std::string& where) const {
    if (!labels_.empty() && labels_.count(label) == 0)
      throw std::invalid_argument("\"" + label + "\" of " + where + " is not one of \"labels\"");
  }

  double weight_of(const std::string& label) const {
    const auto weight = weights_.find(label);
    return weight == weights_.end() ? 1 : weight->second;
  }

  double unweighted_score(const std::string& label, const std::string& predicted) const {
    if (!costs_.empty()) return 1 - costs_.cost(label, predicted, is_valid(predicted));
    return predicted == label ? 1 : is_valid(predicted) ? partial_credit_ : 0;
  }

  bool is_valid(const std::string& predicted) const {
    return labels_.empty() ? !predicted.empty() : labels_.count(predicted) > 0;
  }

  std::string true_label(std::string_view record) const {
    const std::string label = options::target_text(rft::Fields(record), target_);
    std::string normal_label = form_(label);
    if (!labels_.empty() && labels_.count(normal_label) == 0)
      throw std::invalid_argument("a record's \"" + target_ + "\" is \"" + label +
                                  "\", which is not in \"labels\"");
    return normal_label;
  }

  // The label that the completion says; empty for one that was cut off where an end is required.
  std::string prediction(std::string_view completion, std::string_view finish_reason) const {
    return require_eos_ && finish_reason == "length" ? "" : form_(completion);
  }

  std::string target_;
  std::set<std::string> labels_;
  std::string positive_;
  TextForm form_;
  bool require_eos_ = false;
  double partial_credit_ = 0;
  CostMatrix costs_;
  std::map<std::string, double> weights_;
};

RFT_SCORER(Classification, "classification", "1.0.0")
