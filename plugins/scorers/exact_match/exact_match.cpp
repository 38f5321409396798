// Scores 1 for a completion that equals the record's answer, else 0.
#include <rft/scorer.hpp>
#include <string>

#include "../common/options.h"
#include "../common/text_form.h"

class ExactMatch : public rft::Scorer {
 public:
  explicit ExactMatch(std::string_view options) {
    const rft::Fields fields(options);
    fields.allow_only({"target", "strip", "ignore_case"});
    target_ = fields.text("target").value_or("output");
    form_ = TextForm(fields);
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const std::string answer = options::target_text(episode.fields(), target_);
      const bool equal = form_(answer) == form_(episode.completion());
      episode.set_score(equal ? 1 : 0);
      if (!equal) episode.set_reason("expected \"" + answer + "\"");
    }
  }

 private:
  std::string target_;
  TextForm form_;
};

RFT_SCORER(ExactMatch, "exact_match", "1.0.0")
