// The conformance suite: a shared object against the rules that plugin.h and its neighbours state, each check
// in a child process of its own, so that one that crashes or hangs spoils no other, and in the sandbox that a
// job's plugin gets. Where the machine has none, the children run with the rights of whoever asks.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"

namespace rft::plugins::host {

struct ConformanceOptions {
  std::filesystem::path plugin;  // absolute
  std::filesystem::path data;    // records, a JSON line each, or a reader's file; empty: made-up records
  std::string options = "{}";
  double timeout_s = 10;  // of one check
  bool confined = false;  // of a check's own process: it is in the sandbox, and shuts itself in
};

// [{"check", "verdict": ok | failed | skipped, "detail", "rule"}] in the order of a plugin's life.
Json check_conformance(const ConformanceOptions& options);

// What the child does; its verdict goes to descriptor kHostSocket. Does not return.
[[noreturn]] void run_check(const std::string& name, const ConformanceOptions& options);

// Says that the check failed for this reason, from wherever it is (a signal's handler too).
[[noreturn]] void answer_and_exit(const char* why);

}  // namespace rft::plugins::host
