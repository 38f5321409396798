// What a job's judge has asked and been told so far: what its budget counts, and the answers that are not
// paid for again. In the job's own file (RFT_STATE_FILE) all of its processes share it, also with those that
// come after them; without one it is of this process alone. Not thread-safe.
//
// The file is lines of JSON, each appended under a lock:
//
//   {"asks":8}
// is written before so many requests are sent, so that those of a process that dies are counted, too;
//
//   {"request":"…","tokens":100,"score":1,"reason":"…"}
// is an answer, by the key of its request; without a score it is one that nobody is to be given again.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>

#include "verdict.h"

class Ledger {
 public:
  // 0: no limit.
  Ledger(double max_requests, double max_tokens);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Takes in what other processes have done since. Throws std::runtime_error where the file cannot be read.
  void catch_up();
  // Of up to `wanted` requests, how many the budget allows; they are counted as asked. Throws
  // std::runtime_error where that cannot be written down.
  size_t ask(size_t wanted);
  // Which limit is reached; empty: none.
  std::string spent() const;

  // What was answered to a request, as far as is known here; see catch_up().
  std::optional<Verdict> answer_to(const std::string& key) const;
  // An answer that cost so many tokens; without a verdict it is only paid for.
  void note_answer(const std::string& key, double tokens, const std::optional<Verdict>& verdict);

  double num_requests() const { return num_requests_; }
  double num_tokens() const { return num_tokens_; }

 private:
  class Lock;
  void read_on();
  void take(const Json& line);
  bool append(const Json& line);

  double max_requests_, max_tokens_;
  int file_;           // -1: none
  size_t read_ = 0;    // bytes of it, whole lines
  bool torn_ = false;  // what follows them is the beginning of a line whose process was killed
  double num_requests_ = 0, num_tokens_ = 0;
  std::unordered_map<std::string, Verdict> answers_;
  size_t answers_bytes_ = 0;
};
