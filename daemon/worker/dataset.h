// A split of the job's data as the model sees it: the canonical records of DATA/SPLIT.jsonl, each prompt
// rendered and tokenised once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace rft::worker {

struct Example {
  std::string prompt;               // the exact text that was tokenised
  std::vector<int64_t> prompt_ids;  // never empty
  std::string output;               // the expected answer; empty where the record has none
  Json record;                      // the user's whole record
};

// An example that stands before a prompt, to show what is wanted.
struct Shot {
  Json prompt;  // a text, or messages
  std::string output;
};

// The first num_shots + 1 of the file's canonical records that have an output, in an order of the seed's, no
// two with the same prompt: one more than is shown, so that no prompt is shown its own answer. Throws
// Error(invalid_argument) when there are fewer. None for num_shots = 0.
std::vector<Shot> choose_shots(const std::filesystem::path& file, int64_t num_shots, uint64_t seed);

// How a canonical record's prompt becomes token ids. With a chat template, a text is one user message after
// the system message, and shots are turns of user and assistant between the two; without one, the shots'
// prompts and outputs and the text are encoded as they stand, an empty line after each shot, and messages are
// an error.
class PromptFormat {
 public:
  // Both must outlive the format; `chat_template` may be null.
  PromptFormat(const text::Tokenizer& tokenizer, const text::ChatTemplate* chat_template, std::string system,
               std::vector<Shot> shots)
      : tokenizer_(tokenizer),
        chat_template_(chat_template),
        system_(std::move(system)),
        shots_(std::move(shots)) {}

  // Throws Error(invalid_argument) with what is wrong with the record.
  Example apply(Json&& canonical) const;

 private:
  std::string render(const Json& prompt) const;
  std::string render_text(const Json& prompt) const;
  std::vector<Shot> shots_for(const Json& prompt) const;

  const text::Tokenizer& tokenizer_;
  const text::ChatTemplate* chat_template_;
  std::string system_;
  std::vector<Shot> shots_;  // of choose_shots
};

// Throws Error(invalid_argument) "FILE:LINE: …" for a record that cannot be used, a prompt of more than
// `max_prompt_tokens` tokens or with one that the model has no embedding for among them, and for a file
// without records.
std::vector<Example> load_examples(const std::filesystem::path& file, const PromptFormat& format,
                                   int64_t max_prompt_tokens, int64_t vocab_size);

}  // namespace rft::worker
