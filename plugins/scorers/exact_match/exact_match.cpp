// Scores 1 for a completion that equals the record's answer, else 0.
#include <algorithm>
#include <cctype>
#include <rft/scorer.hpp>
#include <stdexcept>
#include <string>

class ExactMatch : public rft::Scorer {
 public:
  explicit ExactMatch(std::string_view options) {
    const rft::Fields fields(options);
    fields.allow_only({"target", "strip", "ignore_case"});
    target_ = fields.text("target").value_or("output");
    strip_ = fields.boolean("strip").value_or(true);
    ignore_case_ = fields.boolean("ignore_case").value_or(false);
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const auto answer = episode.fields().text(target_);
      if (!answer)
        throw std::invalid_argument("a record has no \"" + target_ +
                                    "\"; the option `target` names another key");
      const bool equal = normal(*answer) == normal(episode.completion());
      episode.set_score(equal ? 1 : 0);
      if (!equal) episode.set_reason("expected \"" + *answer + "\"");
    }
  }

 private:
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
  bool strip_ = true;
  bool ignore_case_ = false;
};

RFT_SCORER(ExactMatch, "exact_match", "1.0.0")
