// Runs a dataset adapter over a user's data files, in a process of its own, once, when a job is admitted. A
// file is JSONL, whose records are handed over, unless the adapter reads files itself (rft.dataset-reader/1).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "plugins/host_options.h"
#include "plugins/plugin_error.h"

namespace rft::plugins {

// `timeout_s` is for each portion of a few hundred lines; work_dir is the job folder, all that an adapter
// sees of the user's files.
using AdapterOptions = HostOptions;

class HostProcess;

// Not thread-safe; its process dies with the thread that made it.
class DatasetAdapter {
 public:
  // Starts the process and creates the adapter's instance. Throws PluginError.
  explicit DatasetAdapter(AdapterOptions options);
  ~DatasetAdapter();
  DatasetAdapter(const DatasetAdapter&) = delete;
  DatasetAdapter& operator=(const DatasetAdapter&) = delete;

  // Whether it takes whole files of a form of its own, and no records.
  bool reads_files() const;

  // Reads `input` and writes the canonical records {"prompt", "output"?, "record"} to `output` (a temporary
  // file, synced and renamed). Answers their number. Throws Error(invalid_argument) "FILE:LINE: what is
  // wrong" for a line that is no JSON object or that the adapter refuses (a reader's own words for its file),
  // and PluginError when the adapter misbehaves, which may end its process.
  size_t convert(const std::filesystem::path& input, const std::filesystem::path& output);

 private:
  AdapterOptions options_;
  std::unique_ptr<HostProcess> host_;
};

// Of one file.
size_t convert_dataset(const AdapterOptions& options, const std::filesystem::path& input,
                       const std::filesystem::path& output);

}  // namespace rft::plugins
