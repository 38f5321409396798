// Scores a completion that is meant to be one of a set of labels, and sums a split up with accuracy,
// precision, recall and F1. README.md defines each number.
#include <algorithm>
#include <cctype>
#include <rft/scorer.hpp>
#include <set>
#include <stdexcept>
#include <string>

#include "counts.h"

class Classification : public rft::Scorer {
 public:
  explicit Classification(std::string_view options) {
    const rft::Fields fields(options);
    fields.allow_only(
        {"target", "labels", "positive", "strip", "ignore_case", "partial_credit", "require_eos"});
    target_ = fields.text("target").value_or("output");
    strip_ = fields.boolean("strip").value_or(true);
    ignore_case_ = fields.boolean("ignore_case").value_or(false);
    require_eos_ = fields.boolean("require_eos").value_or(false);
    partial_credit_ = fields.number("partial_credit").value_or(0);
    for (const auto& label : fields.texts("labels").value_or(std::vector<std::string>()))
      labels_.insert(normal(label));
    if (const auto positive = fields.text("positive")) positive_ = normal(*positive);
    if (!(partial_credit_ >= 0 && partial_credit_ < 1))
      throw std::invalid_argument("\"partial_credit\" must be at least 0 and below 1");
    if (partial_credit_ > 0 && labels_.empty())
      throw std::invalid_argument("\"partial_credit\" needs \"labels\": it is for another label of the list");
    if (!positive_.empty() && !labels_.empty() && labels_.count(positive_) == 0)
      throw std::invalid_argument("\"positive\" is not one of \"labels\"");
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const std::string label = true_label(episode.record());
      const std::string predicted = prediction(episode.completion(), episode.finish_reason());
      const bool valid = labels_.empty() ? !predicted.empty() : labels_.count(predicted) > 0;
      episode.set_score(predicted == label ? 1.0 : valid ? partial_credit_ : 0.0);
      episode.set_valid(valid);
      if (predicted != label)
        episode.set_reason("expected \"" + label + "\"" + (valid ? "" : ", got no label"));
    }
  }

  void summarize(const rft::Scored& scored, rft::Numbers& numbers) {
    Counts counts(labels_);
    for (size_t i = 0; i < scored.size(); ++i) counts.add_class(true_label(scored.record(i)));
    for (size_t i = 0; i < scored.size(); ++i) {
      if (scored.failed(i)) continue;
      const rft_episode& episode = scored.episode(i);
      counts.add(true_label(scored.record(i)),
                 prediction(scored.completion(i), {episode.finish_reason.data, episode.finish_reason.size}));
    }
    for (const auto& [name, value] : counts.metrics(positive_)) numbers.set(name, value);
  }

 private:
  std::string true_label(std::string_view record) const {
    const auto label = rft::Fields(record).text(target_);
    if (!label)
      throw std::invalid_argument("a record has no \"" + target_ +
                                  "\"; the option `target` names another key");
    std::string normal_label = normal(*label);
    if (!labels_.empty() && labels_.count(normal_label) == 0)
      throw std::invalid_argument("a record's \"" + target_ + "\" is \"" + *label +
                                  "\", which is not in \"labels\"");
    return normal_label;
  }

  // The label that the completion says; empty for one that was cut off where an end is required.
  std::string prediction(std::string_view completion, std::string_view finish_reason) const {
    return require_eos_ && finish_reason == "length" ? "" : normal(completion);
  }

  std::string normal(std::string_view text) const {
    constexpr std::string_view kSpace = " \t\r\n";
    if (strip_) {
      text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
      text.remove_suffix(text.size() - (text.find_last_not_of(kSpace) + 1));
    }
    std::string result(text);
    if (ignore_case_)
      for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
  }

  std::string target_;
  std::set<std::string> labels_;
  std::string positive_;
  bool strip_ = true;
  bool ignore_case_ = false;
  bool require_eos_ = false;
  double partial_credit_ = 0;
};

RFT_SCORER(Classification, "classification", "1.0.0")
