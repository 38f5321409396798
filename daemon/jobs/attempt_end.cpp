#include "jobs/attempt_end.h"

#include <signal.h>

#include <algorithm>
#include <fstream>

namespace rft::jobs {
namespace {

constexpr int kExitOtherAttempt = 75;
constexpr uint64_t kTailBytes = 500;

AttemptEnd from_last_words(const protocol::WorkerFinished& words, bool stop_asked) {
  using Kind = AttemptEnd::Kind;
  switch (words.outcome) {
    case protocol::WorkerOutcome::succeeded:
      return {Kind::succeeded, "", ErrorCode::internal, words.result};
    case protocol::WorkerOutcome::stopped:
      if (stop_asked) return {Kind::stopped};
      return {Kind::transient, "its worker was told to stop from outside the daemon", ErrorCode::unavailable};
    case protocol::WorkerOutcome::paused:
      return {Kind::paused, words.pause_reason};
    case protocol::WorkerOutcome::failed:
      break;
  }
  return {words.transient ? Kind::transient : Kind::failed, words.error_message, words.error_code};
}

std::string with_tail(std::string text, const std::string& tail) {
  if (!tail.empty()) text += "; its last words on stderr: " + tail;
  return text;
}

}  // namespace

AttemptEnd judge(const AttemptEvidence& evidence) {
  using Kind = AttemptEnd::Kind;
  if (evidence.last_words) return from_last_words(*evidence.last_words, evidence.stop_asked);
  if (!evidence.killed_because.empty() && evidence.stop_asked) return {Kind::stopped};
  if (!evidence.killed_because.empty())
    return {Kind::transient, evidence.killed_because, ErrorCode::unavailable};
  if (evidence.exit.exit_code == kExitOtherAttempt)
    return {Kind::superseded, "an earlier attempt is still alive", ErrorCode::conflict};
  if (evidence.exit.signal == SIGKILL && evidence.out_of_memory)
    return {Kind::transient,
            "its worker was killed for lack of memory; lower [rollout] prompts_per_iteration or "
            "max_new_tokens, or "
            "run fewer jobs at a time ([capacity] cores in rftd.toml)",
            ErrorCode::resource};
  if (evidence.exit.signal)
    return {Kind::transient, with_tail("its worker " + evidence.exit.text(), evidence.stderr_tail),
            ErrorCode::internal};
  return {
      Kind::transient,
      with_tail("its worker " + evidence.exit.text() + " without a word to the daemon", evidence.stderr_tail),
      ErrorCode::internal};
}

int64_t count_oom_kills() {
  std::ifstream vmstat("/proc/vmstat");
  std::string name;
  int64_t value = 0;
  while (vmstat >> name >> value)
    if (name == "oom_kill") return value;
  return 0;
}

std::string file_tail(const std::filesystem::path& file, uint64_t offset) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return "";
  in.seekg(0, std::ios::end);
  const auto size = static_cast<uint64_t>(in.tellg());
  if (size <= offset) return "";
  const uint64_t start = std::max(offset, size > kTailBytes ? size - kTailBytes : 0);
  in.seekg(static_cast<std::streamoff>(start));
  std::string text(size - start, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace rft::jobs
