// Scores a number in the completion by its distance from the record's. README.md has the options.
#include <algorithm>
#include <cmath>
#include <optional>
#include <rft/scorer.hpp>
#include <stdexcept>
#include <string>

#include "../common/options.h"
#include "numbers.h"

class Numeric : public rft::Scorer {
 public:
  explicit Numeric(std::string_view text) {
    const rft::Fields fields(text);
    fields.allow_only({"target", "take", "tolerance", "relative_tolerance", "decimal", "units",
                       "require_unit", "partial_credit", "partial_within"});
    target_ = fields.text("target").value_or("output");
    take_ = options::choice(fields, "take", {"last", "first", "whole"});
    tolerance_ = options::number(fields, "tolerance", 0);
    relative_tolerance_ = options::number(fields, "relative_tolerance", 1e-9);
    partial_credit_ = options::number(fields, "partial_credit", 0, 0, 1);
    partial_within_ = options::number(fields, "partial_within", 0.1);
    if (partial_within_ == 0) throw std::invalid_argument("\"partial_within\" must be above 0");
    auto units = options::numbers(fields, "units");
    for (const auto& [name, factor] : units)
      if (name.empty() || factor == 0)
        throw std::invalid_argument("\"units\": a name is empty or a factor 0");
    require_unit_ = fields.boolean("require_unit").value_or(false);
    if (require_unit_ && units.empty()) throw std::invalid_argument("\"require_unit\" needs \"units\"");
    reader_ = NumberReader(options::choice(fields, "decimal", {".", ","}).front(), std::move(units));
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const double wanted = target_of(episode.fields());
      const auto found = chosen(episode.completion());
      const bool valid = found && std::isfinite(found->value) && (found->has_unit || !require_unit_);
      episode.set_valid(valid);
      episode.set_score(valid ? score_of(found->value, wanted) : 0);
      if (found && std::isfinite(found->value)) episode.set_sub_score("number", found->value);
      if (!valid) episode.set_reason(!found ? "no number" : require_unit_ ? "no unit" : "too large a number");
    }
  }

 private:
  double score_of(double found, double wanted) const {
    const double error = std::abs(found - wanted);
    if (error <= std::max(tolerance_, relative_tolerance_ * std::abs(wanted))) return 1;
    const double relative_error = wanted == 0 ? error : error / std::abs(wanted);
    return partial_credit_ * std::max(0.0, 1 - relative_error / partial_within_);
  }

  // The number that `take` asks for.
  std::optional<Number> chosen(std::string_view text) const {
    const auto numbers = reader_.read(text);
    if (numbers.empty()) return std::nullopt;
    if (take_ != "whole") return take_ == "last" ? numbers.back() : numbers.front();
    constexpr std::string_view kSpace = " \t\r\n";
    const bool alone = text.find_first_not_of(kSpace) == numbers[0].begin &&
                       text.find_last_not_of(kSpace) + 1 == numbers[0].end;
    return alone ? std::optional(numbers[0]) : std::nullopt;
  }

  // A number of JSON, or a text that is read as a completion is.
  double target_of(const rft::Fields& record) const {
    const auto raw = record.raw(target_);
    if (!raw || *raw == "null") options::no_such_key(target_);
    if (raw->front() != '"') return *record.number(target_);
    const std::string text = *record.text(target_);
    const auto number = chosen(text);
    if (!number || !std::isfinite(number->value))
      throw std::invalid_argument("a record's \"" + target_ + "\" is \"" + text +
                                  "\", which holds no number");
    return number->value;
  }

  std::string target_, take_;
  double tolerance_ = 0, relative_tolerance_ = 0, partial_credit_ = 0, partial_within_ = 0;
  bool require_unit_ = false;
  NumberReader reader_{'.', {}};
};

RFT_SCORER(Numeric, "numeric", "1.0.0")
