// What a job's judge has asked and been told so far: what its budget counts, and the answers that are not
// paid for again. In the job's own file (RFT_STATE_FILE) all of its processes share it, also with those that
// come after them; without one it is of this process alone. Not thread-safe.
//
// The file is lines of JSON, each appended under a lock:
//
//   {"asks":8,"reserves":1600}
// is written before so many requests are sent, with the tokens that they may take together, so that those of
// a process that dies are counted, too;
//
//   {"request":"…","tokens":100,"prompt":90,"settles":200,"score":1,"reason":"…"}
// is an answer, by the key of its request, and what it took instead of what was reserved for it; without a
// score it is one that nobody is to be given again, without tokens there is none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>

#include "verdict.h"

class Ledger {
 public:
  struct Limits {  // 0: none
    double requests = 0, tokens = 0;
    double answer_tokens = 0;  // of one answer, as its request says
  };
  // What may be asked.
  struct Grant {
    size_t requests = 0;
    double tokens = 0;    // reserved for each of them
    std::string refusal;  // of no request: which limit is reached
  };
  // What an answer took, as the endpoint counts it.
  struct Usage {
    double tokens = 0, prompt = 0;
  };

  explicit Ledger(const Limits& limits);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Takes in what other processes have done since. Throws std::runtime_error where the file cannot be read.
  void catch_up();
  // Of up to `wanted` requests, how many the budget allows; they are counted as asked. Throws
  // std::runtime_error where that cannot be written down.
  Grant ask(size_t wanted);

  // What was answered to a request, as far as is known here; see catch_up().
  std::optional<Verdict> answer_to(const std::string& key) const;
  // The answer to a request that so many tokens were reserved for; without a verdict it is only paid for.
  void note_answer(const std::string& key, const Usage& usage, double reserved,
                   const std::optional<Verdict>& verdict);
  // That there was none.
  void note_failure(double reserved);

  double num_requests() const { return num_requests_; }
  double num_tokens() const { return num_tokens_; }

 private:
  class Lock;
  void read_on();
  void take(const Json& line);
  bool append(const Json& line);
  void note(const Json& line);
  double request_tokens() const;
  std::string why_no_tokens(double of_request) const;

  Limits limits_;
  int file_;           // -1: none
  size_t read_ = 0;    // bytes of it, whole lines
  bool torn_ = false;  // what follows them is the beginning of a line whose process was killed
  double num_requests_ = 0, num_answers_ = 0, num_tokens_ = 0;
  double num_reserved_ = 0;                         // tokens of what is under way
  double largest_prompt_ = 0, largest_answer_ = 0;  // tokens, so far
  std::unordered_map<std::string, Verdict> answers_;
  size_t answers_bytes_ = 0;
};
