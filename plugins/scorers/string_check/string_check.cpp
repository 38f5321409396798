// Scores 1 where two texts compare as the operation says, else 0: OpenAI's string_check grader.
#include <unicode/unistr.h>

#include <rft/scorer.hpp>
#include <string>

#include "../common/options.h"
#include "../common/template.h"

class StringCheck : public rft::Scorer {
 public:
  explicit StringCheck(std::string_view text)
      : operation_(operation_of(rft::Fields(text))),
        input_(rft::Fields(text).text("input").value_or("{{sample.output_text}}")),
        reference_(rft::Fields(text).text("reference").value_or("{{item.output}}")) {}

  void score(rft::Batch& batch) override {
    for (auto& episode : batch)
      templates::score_filled(episode, input_, reference_,
                              [&](const std::string& input, const std::string& reference) {
                                const bool holds = compare(input, reference);
                                if (!holds)
                                  episode.set_reason("not " + operation_ + " \"" + reference + "\"");
                                return holds ? 1.0 : 0.0;
                              });
  }

 private:
  static std::string operation_of(const rft::Fields& fields) {
    fields.allow_only({"operation", "input", "reference"});
    return options::choice(fields, "operation", {"eq", "ne", "like", "ilike"});
  }

  static icu::UnicodeString folded(const std::string& text) {
    return icu::UnicodeString::fromUTF8(text).foldCase();
  }

  bool compare(const std::string& input, const std::string& reference) const {
    if (operation_ == "eq") return input == reference;
    if (operation_ == "ne") return input != reference;
    if (operation_ == "like") return input.find(reference) != std::string::npos;
    const auto wanted = folded(reference);
    return wanted.isEmpty() || folded(input).indexOf(wanted) >= 0;
  }

  std::string operation_;
  templates::Template input_, reference_;
};

RFT_SCORER(StringCheck, "string_check", "1.0.0")
