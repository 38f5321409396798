#include "jobs/attempt_end.h"

#include <fmt/format.h>
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
  return {.kind = words.transient ? Kind::transient : Kind::failed,
          .reason = words.error_message,
          .code = words.error_code,
          .failure = words.failure,
          .sub_scorer = words.sub_scorer};
}

std::string with_tail(std::string text, const std::string& tail) {
  if (!tail.empty()) text += "; its last words on stderr: " + tail;
  return text;
}

bool rose(const std::optional<int64_t>& before, const std::optional<int64_t>& after) {
  return before && after && *after > *before;
}

// Whether SIGKILL was the kernel's answer to a lack of memory, in words; empty: it was not.
std::string memory_verdict(const OutOfMemoryKills& before, const OutOfMemoryKills& after) {
  if (rose(before.of_cgroup, after.of_cgroup)) return "its worker was killed for lack of memory";
  if (rose(before.of_machine, after.of_machine))
    return "its worker was killed by SIGKILL, likely for lack of memory: the kernel killed for that "
           "meanwhile";
  if (!after.of_cgroup && !after.of_machine)
    return "its worker was killed by SIGKILL, likely for lack of memory: the kernel does not say";
  return "";
}

// A worker that was within its estimate lacked what others had taken; one beyond it will be so again.
AttemptEnd killed_for_memory(std::string reason, int64_t held,
                             const std::optional<memory::Estimate>& estimate) {
  reason += fmt::format("; it held {} at most", memory_text(held));
  if (estimate) reason += fmt::format(", and estimated were {}", estimate->text());
  if (!estimate || held <= estimate->process_bytes())
    return {AttemptEnd::Kind::transient,
            reason + "; run fewer jobs at a time, or lower memory_gb of [capacity] in rftd.toml",
            ErrorCode::resource};
  return {AttemptEnd::Kind::failed, reason + "; " + estimate->mends(), ErrorCode::resource};
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
  if (evidence.exit.signal == SIGKILL)
    if (const auto verdict = memory_verdict(evidence.kills_before, evidence.kills_after); !verdict.empty())
      return killed_for_memory(verdict, evidence.exit.peak_memory, evidence.estimate);
  if (evidence.exit.signal)
    return {Kind::transient, with_tail("its worker " + evidence.exit.text(), evidence.stderr_tail),
            ErrorCode::internal};
  return {
      Kind::transient,
      with_tail("its worker " + evidence.exit.text() + " without a word to the daemon", evidence.stderr_tail),
      ErrorCode::internal};
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
