// Makes a text prompt of a record {"task"?, "input", "output"?} by a template over the record's keys.
#include <rft/adapter.hpp>
#include <string>

#include "../common/text_prompt.h"

class Jsonl : public rft::DatasetAdapter {
 public:
  explicit Jsonl(std::string_view options) : prompt_(prompt_of(rft::Fields(options))) {}

  rft::Example convert(std::string_view record) override { return prompt_.of(record); }

 private:
  static TextPrompt prompt_of(const rft::Fields& options) {
    options.allow_only({"prompt"});
    return TextPrompt(options.text("prompt").value_or(""));
  }

  TextPrompt prompt_;
};

RFT_DATASET_ADAPTER(Jsonl, "jsonl", "1.0.0")
