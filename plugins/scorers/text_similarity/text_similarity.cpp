// Scores a completion by its likeness to the record's text, by the metric of the job's choice. README.md has
// them.
#include <optional>
#include <rft/scorer.hpp>
#include <stdexcept>
#include <string>

#include "../common/options.h"
#include "../common/template.h"
#include "metrics.h"

class TextSimilarity : public rft::Scorer {
 public:
  explicit TextSimilarity(std::string_view text) {
    const rft::Fields fields(text);
    fields.allow_only({"evaluation_metric", "input", "reference", "target", "ignore_case"});
    if (!fields.has("evaluation_metric"))
      throw std::invalid_argument("the option `evaluation_metric` is needed, such as \"rouge_l\"");
    metric_ = options::choice(fields, "evaluation_metric",
                              {"fuzzy_match", "bleu", "gleu", "meteor", "rouge_1", "rouge_2", "rouge_3",
                               "rouge_4", "rouge_5", "rouge_l"});
    target_ = fields.text("target").value_or("output");
    if (fields.has("input") || fields.has("reference")) read_templates(fields);
    ignore_case_ = fields.boolean("ignore_case").value_or(false);
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      if (input_) {
        templates::score_filled(episode, *input_, *reference_,
                                [&](const std::string& input, const std::string& reference) {
                                  return similarity(points(input), points(reference));
                                });
        continue;
      }
      episode.set_score(
          similarity(points(episode.completion()), points(options::target_text(episode.fields(), target_))));
    }
  }

 private:
  void read_templates(const rft::Fields& fields) {
    if (fields.has("target"))
      throw std::invalid_argument("`target` and `reference` both say what is wanted; give one of the two");
    input_.emplace(fields.text("input").value_or("{{sample.output_text}}"));
    reference_.emplace(fields.text("reference").value_or("{{item.output}}"));
  }

  std::u32string points(std::string_view utf8) const {
    auto text = code_points(utf8);
    return ignore_case_ || metric_ == "meteor" ? lower_case(text) : text;
  }

  double similarity(const std::u32string& text, const std::u32string& reference) const {
    if (metric_ == "fuzzy_match") return fuzzy_match(text, reference);
    if (metric_ == "bleu") return bleu(tokens_13a(text), tokens_13a(reference));
    if (metric_ == "gleu") return gleu(tokens_13a(text), tokens_13a(reference));
    if (metric_ == "meteor") return meteor(tokens_13a(text), tokens_13a(reference));
    if (metric_ == "rouge_l") return rouge_l(rouge_tokens(text), rouge_tokens(reference));
    return rouge_n(rouge_tokens(text), rouge_tokens(reference), static_cast<size_t>(metric_.back() - '0'));
  }

  std::string metric_, target_;
  std::optional<templates::Template> input_, reference_;  // instead of the completion and `target`
  bool ignore_case_ = false;
};

RFT_SCORER(TextSimilarity, "text_similarity", "1.0.0")
