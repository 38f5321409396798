// Scores a completion by a regular expression: whether it is found, and whether what it captures is the
// record's answer. README.md has the options.
#include <algorithm>
#include <memory>
#include <optional>
#include <rft/scorer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../common/options.h"
#include "../common/pattern.h"
#include "../common/text_form.h"

class Regex : public rft::Scorer {
 public:
  explicit Regex(std::string_view text) {
    const rft::Fields fields(text);
    fields.allow_only({"pattern", "pattern_key", "match", "take", "group", "target", "partial_credit",
                       "negate", "strip", "ignore_case"});
    form_ = TextForm(fields);
    pattern_key_ = fields.text("pattern_key");
    const auto pattern = fields.text("pattern");
    if (pattern.has_value() == pattern_key_.has_value())
      throw std::invalid_argument("either `pattern` or `pattern_key` is needed");
    whole_ = options::choice(fields, "match", {"search", "whole"}) == "whole";
    last_ = options::choice(fields, "take", {"first", "last"}) == "last";
    if (whole_ && last_) throw std::invalid_argument("`take` is for \"match\" = \"search\"");
    target_ = fields.text("target");
    read_group(fields);
    partial_credit_ = options::number(fields, "partial_credit", 0, 0, 1);
    negate_ = fields.boolean("negate").value_or(false);
    if (!target_ && (partial_credit_ > 0 || fields.has("group")))
      throw std::invalid_argument("`partial_credit` and `group` need `target`, the key of the answer");
    if (target_ && negate_) throw std::invalid_argument("`negate` and `target` exclude each other");
    if (pattern) pattern_ = compiled(*pattern);
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const rft::Fields record = episode.fields();
      const auto of_record = pattern_key_ ? compiled(pattern_of(record)) : nullptr;
      const auto found = find(of_record ? *of_record : *pattern_, episode.completion());
      if (target_)
        score_answer(episode, found, options::target_text(record, *target_));
      else
        episode.set_score(found.has_value() != negate_ ? 1 : 0);
      episode.set_valid(found.has_value() != negate_);
    }
  }

 private:
  void read_group(const rft::Fields& fields) {
    if (!fields.has("group")) return;
    group_ = static_cast<int>(options::number(fields, "group", 0, 0, kMaxGroup));
    if (*group_ != fields.number("group")) throw std::invalid_argument("\"group\" must be a whole number");
  }

  std::unique_ptr<const re2::RE2> compiled(const std::string& pattern) const {
    auto result = compile_pattern(pattern, form_.ignores_case());
    if (group_.value_or(0) > result->NumberOfCapturingGroups())
      throw std::invalid_argument("the pattern \"" + pattern + "\" has no group " + std::to_string(*group_));
    return result;
  }

  std::string pattern_of(const rft::Fields& record) const {
    const auto pattern = record.text(*pattern_key_);
    if (!pattern) options::no_such_key(*pattern_key_, "pattern_key");
    return *pattern;
  }

  void score_answer(rft::Episode& episode, const std::optional<std::string_view>& found,
                    const std::string& answer) const {
    if (!found) {
      episode.set_score(0);
      episode.set_reason("the pattern is not found");
      return;
    }
    const bool equal = form_(*found) == form_(answer);
    episode.set_score(equal ? 1 : partial_credit_);
    if (!equal) episode.set_reason("expected \"" + answer + "\", found \"" + std::string(*found) + "\"");
  }

  // What the group says in the match that `take` asks for.
  std::optional<std::string_view> find(const re2::RE2& pattern, std::string_view completion) const {
    const int group = group_.value_or(std::min(pattern.NumberOfCapturingGroups(), 1));
    const re2::StringPiece text(completion.data(), completion.size());
    std::vector<re2::StringPiece> parts(static_cast<size_t>(group) + 1);
    std::optional<std::string_view> found;
    size_t start = 0;
    while (start <= text.size() &&
           pattern.Match(text, start, text.size(), whole_ ? re2::RE2::ANCHOR_BOTH : re2::RE2::UNANCHORED,
                         parts.data(), group + 1)) {
      found = std::string_view(parts.back().data(), parts.back().size());
      if (!last_) break;
      const auto end = static_cast<size_t>(parts[0].data() - text.data()) + parts[0].size();
      start = parts[0].empty() ? next_character(completion, end) : end;
    }
    return found;
  }

  static size_t next_character(std::string_view text, size_t at) {
    do ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
    return at;
  }

  static constexpr int kMaxGroup = 100;
  std::optional<std::string> pattern_key_;
  std::unique_ptr<const re2::RE2> pattern_;  // none where each record brings its own
  bool whole_ = false, last_ = false, negate_ = false;
  std::optional<int> group_;
  std::optional<std::string> target_;
  double partial_credit_ = 0;
  TextForm form_;
};

RFT_SCORER(Regex, "regex", "1.0.0")
