// Puts the facts nearest to what a record's input names before its prompt. README.md has the options.
#include <cmath>
#include <rft/adapter.hpp>
#include <stdexcept>
#include <string>

#include "../../common/knowledge_graph.h"
#include "../common/text_prompt.h"

class KnowledgeGraphContext : public rft::DatasetAdapter {
 public:
  explicit KnowledgeGraphContext(std::string_view text) : KnowledgeGraphContext(rft::Fields(text)) {}

  rft::Example convert(std::string_view record) override {
    const auto input = rft::Fields(record).text(input_);
    if (!input)
      throw std::invalid_argument("the record has no \"" + input_ +
                                  "\"; the option `input` names the key whose entities are looked up");
    std::string facts;
    for (const auto& fact : graph_.nearest(graph_.mentioned(*input), num_facts_))
      facts += graph_.text_of(fact) + "\n";
    rft::Example example = prompt_.of(record);
    if (!facts.empty()) example.prompt.insert(0, facts + "\n");
    return example;
  }

 private:
  static constexpr double kMostFacts = 1000;

  explicit KnowledgeGraphContext(const rft::Fields& fields)
      : graph_(checked_path(fields)),
        num_facts_(checked_count(fields)),
        input_(fields.text("input").value_or("input")),
        prompt_(fields.text("prompt").value_or("")) {}

  static std::string checked_path(const rft::Fields& fields) {
    fields.allow_only({"graph", "facts", "input", "prompt"});
    const auto path = fields.text("graph");
    if (!path)
      throw std::invalid_argument("the option `graph` is needed: an N-Triples file of the job folder");
    return *path;
  }
  static size_t checked_count(const rft::Fields& fields) {
    const double count = fields.number("facts").value_or(8);
    if (!(count >= 1 && count <= kMostFacts) || count != std::floor(count))
      throw std::invalid_argument("\"facts\" must be a whole number from 1 to 1000");
    return static_cast<size_t>(count);
  }

  knowledge::Graph graph_;
  size_t num_facts_;
  std::string input_;
  TextPrompt prompt_;
};

RFT_DATASET_ADAPTER(KnowledgeGraphContext, "knowledge_graph_context", "1.0.0")
