// The episodes that `rftctl scorer test` has scored: a data file's records, each with a completion that was
// given, sampled from a model, or else the record's own output.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace rft::cli {

struct EpisodeSource {
  std::filesystem::path data;
  std::filesystem::path outputs;  // {"completion", "index"? | "record"?} a line; empty: none
  std::filesystem::path model;    // a folder; empty: none
  std::string adapter;            // a .so, or the name of a shipped one; empty: chat for messages, else jsonl
  std::string prompt;             // as [data] prompt
  int64_t limit = 0;              // records at most; 0: all
  int64_t max_new_tokens = 128;
  double temperature = 1;
  int64_t seed = 0;
};

struct Episodes {
  std::vector<Json> lines;  // as rft-plugin-host reads them
  std::string origin;       // "12 completions of outputs.jsonl"
};

// Runs rft-plugin-host for the prompts, and rft-worker where a model samples. Throws Error with file and
// line.
Episodes make_episodes(const EpisodeSource& source);

}  // namespace rft::cli
