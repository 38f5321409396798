#include "ledger.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace {

constexpr size_t kMaxAnswersBytes = size_t{64} << 20;

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string("cannot ") + what +
                           " the file with the judge's budget: " + std::strerror(errno));
}

int open_file() {
  const char* path = std::getenv("RFT_STATE_FILE");
  if (path == nullptr) return -1;
  const int file = ::open(path, O_RDWR | O_APPEND | O_CLOEXEC);
  if (file < 0) fail("open");
  return file;
}

std::string reached(const char* key, double limit, double used) {
  return "the judge's budget is spent: " + std::to_string(static_cast<int64_t>(used)) + " of " + key + " = " +
         std::to_string(static_cast<int64_t>(limit));
}

}  // namespace

// The file is this process's own for as long as it lives.
class Ledger::Lock {
 public:
  explicit Lock(int file) : file_(file) {
    while (file_ >= 0 && ::flock(file_, LOCK_EX) != 0)
      if (errno != EINTR) fail("lock");
  }
  ~Lock() {
    if (file_ >= 0) ::flock(file_, LOCK_UN);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

Ledger::Ledger(const Limits& limits) : limits_(limits), file_(open_file()) { catch_up(); }

Ledger::~Ledger() {
  if (file_ >= 0) ::close(file_);
}

void Ledger::catch_up() {
  const Lock lock(file_);
  read_on();
}

// Under the lock: nobody is in the middle of a line.
void Ledger::read_on() {
  if (file_ < 0) return;
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t got = ::pread(file_, buffer, sizeof buffer, static_cast<off_t>(read_ + text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read");
    if (got == 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    take(Json::parse(text.substr(begin, end - begin), nullptr, /*allow_exceptions=*/false));
  read_ += begin;
  torn_ = begin < text.size();
}

void Ledger::take(const Json& line) {
  if (!line.is_object()) return;
  num_requests_ += line.value("asks", 0.0);
  const double tokens = line.value("tokens", 0.0), prompt = line.value("prompt", tokens);
  num_answers_ += line.contains("tokens") ? 1 : 0;
  num_tokens_ += tokens;
  num_reserved_ += line.value("reserves", 0.0) - line.value("settles", 0.0);
  largest_prompt_ = std::max(largest_prompt_, prompt);
  largest_answer_ = std::max(largest_answer_, tokens - prompt);
  if (!line.contains("score")) return;
  const std::string key = line.value("request", "");
  Verdict verdict{line.value("score", 0.0), line.value("reason", "")};
  if (answers_bytes_ > kMaxAnswersBytes) return;
  answers_bytes_ += key.size() + verdict.reason.size();
  answers_[key] = std::move(verdict);
}

// Answers whether the line is in the file. Without a file it is taken in at once, else by read_on().
bool Ledger::append(const Json& line) {
  if (file_ < 0) {
    take(line);
    return true;
  }
  const std::string text =
      (torn_ ? "\n" : "") + line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t got = ::write(file_, text.data() + written, text.size() - written);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    written += static_cast<size_t>(got);
  }
  read_on();
  return true;
}

// What a request may take, as far as those before it say.
double Ledger::request_tokens() const {
  if (largest_prompt_ == 0) return 0;
  return largest_prompt_ + (limits_.answer_tokens > 0 ? limits_.answer_tokens : largest_answer_);
}

std::string Ledger::why_no_tokens(double of_request) const {
  std::string why = reached("max_tokens", limits_.tokens, num_tokens_);
  if (num_tokens_ >= limits_.tokens) return why;
  why += ", and a request may take " + std::to_string(static_cast<int64_t>(of_request));
  return num_reserved_ > 0 ? why + " beside those not answered yet" : why;
}

Ledger::Grant Ledger::ask(size_t wanted) {
  const Lock lock(file_);
  read_on();
  Grant grant{.requests = wanted, .tokens = limits_.tokens > 0 ? request_tokens() : 0, .refusal = ""};
  if (limits_.requests > 0) {
    const double left = limits_.requests - num_requests_;
    if (left < 1) return {.refusal = reached("max_requests", limits_.requests, num_requests_)};
    grant.requests = std::min(grant.requests, static_cast<size_t>(left));
  }
  if (limits_.tokens > 0) {
    const double left = limits_.tokens - num_tokens_ - num_reserved_;
    if (left <= 0 || left < grant.tokens) return {.refusal = why_no_tokens(grant.tokens)};
    if (grant.tokens > 0) grant.requests = std::min(grant.requests, static_cast<size_t>(left / grant.tokens));
    if (num_answers_ == 0) grant.requests = 1;  // which tells what the next ones may take
  }
  if (!append({{"asks", grant.requests}, {"reserves", static_cast<double>(grant.requests) * grant.tokens}}))
    fail("write");
  return grant;
}

std::optional<Verdict> Ledger::answer_to(const std::string& key) const {
  const auto found = answers_.find(key);
  return found == answers_.end() ? std::nullopt : std::optional(found->second);
}

void Ledger::note_answer(const std::string& key, const Usage& usage, double reserved,
                         const std::optional<Verdict>& verdict) {
  Json line = {{"tokens", usage.tokens}, {"prompt", usage.prompt}, {"settles", reserved}};
  if (verdict && answers_bytes_ <= kMaxAnswersBytes)
    line.update({{"request", key}, {"score", verdict->score}, {"reason", verdict->reason}});
  note(line);
}

void Ledger::note_failure(double reserved) {
  if (reserved > 0) note({{"settles", reserved}});
}

void Ledger::note(const Json& line) {
  const Lock lock(file_);
  read_on();
  if (!append(line)) take(line);  // it is so all the same; the next request cannot be counted
}
