// For records {"messages": [...], ...}: the messages are the prompt, and a last message of the assistant is
// the output.
#include <rft/adapter.hpp>
#include <string>

#include "../common/chat_prompt.h"

class Chat : public rft::DatasetAdapter {
 public:
  // The model's chat template lays out the messages: a [data] prompt that stands there has nothing to do.
  explicit Chat(std::string_view options) { rft::Fields(options).allow_only({"prompt"}); }

  rft::Example convert(std::string_view record) override { return chat_prompt::of(record); }
};

RFT_DATASET_ADAPTER(Chat, "chat", "1.0.0")
