// A plugin under examination: called through the C ABI alone, by a host that lets it get away with nothing.
// What it is given lies in pages of its own, which can only be read during the call and not at all after it;
// what it answers is checked for its thread, its moment and its form. Lives in a child process of its own.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "plugins/host/samples.h"
#include "plugins/note.h"
#include "rft/dataset_reader.h"
#include "rft/summary.h"

namespace rft::plugins::host {

// A rule is broken.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The plugin did not take what it was given: its right, but then there is nothing to examine.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Subject {
 public:
  // Loads it; `options` as for create().
  Subject(const std::string& path, std::string options);

  bool is_scorer() const { return note_.kind == RFT_KIND_SCORER; }
  bool is_reader() const { return reader_ != nullptr; }  // once it is created
  bool varies() const { return varies_; }
  void create();
  void destroy();
  void destroy_nothing();
  // One call for a scorer's batch, one for each of an adapter's records or of the files that a reader reads
  // (Sample::record is its path). What it answered for each, as text
  // that is equal only where the answer is the same to the last bit.
  std::vector<std::string> run(const std::vector<Sample>& samples);

 private:
  std::vector<std::string> score(const std::vector<Sample>& samples);
  std::string convert(const Sample& sample);
  std::string read(const Sample& sample);

  PluginNote note_;
  std::string options_;
  const rft_plugin* entry_ = nullptr;
  const rft_scorer* scorer_ = nullptr;
  const rft_dataset_adapter* adapter_ = nullptr;
  const rft_dataset_reader* reader_ = nullptr;
  void* instance_ = nullptr;
  bool varies_ = false;
};

}  // namespace rft::plugins::host
