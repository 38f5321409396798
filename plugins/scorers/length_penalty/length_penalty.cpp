// A penalty for completions that are longer, or shorter, than they should be. README.md has the formula.
#include <rft/scorer.hpp>
#include <stdexcept>
#include <string>

#include "../common/penalty.h"

class LengthPenalty : public rft::Scorer {
 public:
  explicit LengthPenalty(std::string_view text) {
    const rft::Fields fields(text);
    fields.allow_only({"unit", "min", "max", "rate", "cap"});
    unit_ = options::choice(fields, "unit", {"tokens", "words", "characters"});
    min_ = options::number(fields, "min", 0);
    max_ = fields.has("min") ? options::number(fields, "max", options::kUnbounded)
                             : options::required_number(fields, "max");
    if (min_ > max_) throw std::invalid_argument("\"min\" is larger than \"max\"");
    penalty_ = Penalty(max_, options::required_number(fields, "rate"), options::number(fields, "cap", 1));
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const double length = length_of(episode.completion(), episode.completion_tokens());
      episode.set_score(length < min_ ? penalty_.beyond(min_ - length) : penalty_.score(length));
      episode.set_sub_score("length", length);
    }
  }

  void summarize(const rft::Scored& scored, rft::Numbers& numbers) {
    std::vector<double> lengths;
    for (size_t i = 0; i < scored.size(); ++i)
      lengths.push_back(length_of(scored.completion(i), scored.episode(i).completion_tokens));
    summarize_amounts("length", std::move(lengths), numbers);
  }

 private:
  double length_of(std::string_view completion, int64_t tokens) const {
    if (unit_ == "tokens") return static_cast<double>(tokens);
    size_t words = 0, characters = 0;
    bool in_word = false;
    for (const char c : completion) {
      const bool space = std::string_view(" \t\r\n").find(c) != std::string_view::npos;
      words += !space && !in_word;
      in_word = !space;
      characters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // all but UTF-8's continuation bytes
    }
    return static_cast<double>(unit_ == "words" ? words : characters);
  }

  std::string unit_;
  double min_ = 0, max_ = 0;
  Penalty penalty_;
};

RFT_SCORER(LengthPenalty, "length_penalty", "1.0.0")
