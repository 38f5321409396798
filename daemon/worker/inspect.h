// `rft-worker inspect VERB MODEL_DIR`: answers questions about a model, one JSON object a line in, one a line
// out. A line that fails answers {"error"} and the next is taken. docs/inspect.md has the verbs.
#pragma once

#include <filesystem>
#include <istream>
#include <ostream>
#include <string>

namespace rft::worker {

struct InspectOptions {
  std::string verb;  // summary | logits | generate | encode | decode | render
  std::filesystem::path model_dir;
  std::filesystem::path adapter_dir;  // a PEFT adapter of that model; empty: none
  std::string dtype = "float32";
  std::string device = "cpu";
};

// Reads `in` to its end. Loads only the files that the verb uses. Throws rft::Error when they cannot be
// loaded, or for an unknown verb.
void inspect(const InspectOptions& options, std::istream& in, std::ostream& out);

}  // namespace rft::worker
