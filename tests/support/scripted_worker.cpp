// Stands in for rft-worker where the daemon's side is tested: the same command line, lock, socket and
// messages, and no engine. What it does is written in JOB_DIR/input/script, one word a line, a line for each
// attempt; the last line holds for all further ones.
//
//   finish      reports something of each kind, then succeeds
//   warned      the same, and tells of a warning at its end
//   nap         like finish, after a while
//   run         reports, then waits to be told; ends as a worker does: stopped, with a resume point
//   linger      like run, but takes a second to end once told, or once its daemon is gone
//   deaf        like run, but does not listen
//   pause       pauses by itself
//   swap        like run, but takes the scorers that it is told of; refuse: … but refuses them. The others
//               do not come to it
//   fail        fails for good            transient   fails for a cause that may pass
//   abort       dies of SIGABRT           kill        dies of SIGKILL
//   mute        never connects            quit        exits with 3 before it connects
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "protocol/worker_stream.h"

namespace {

using namespace rft;
namespace fs = std::filesystem;

struct Arguments {
  fs::path folder;
  std::string socket;
  int64_t attempt = 0;
  std::string all;
};

Arguments read_arguments(int argc, char** argv) {
  Arguments arguments;
  arguments.folder = argv[2];
  for (int i = 1; i < argc; ++i) arguments.all += std::string(argv[i]) + " ";
  for (int i = 3; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--socket") arguments.socket = argv[i + 1];
    if (std::string(argv[i]) == "--attempt") arguments.attempt = std::stoll(argv[i + 1]);
  }
  return arguments;
}

std::string script_line(const Arguments& arguments) {
  std::ifstream script(arguments.folder / "input" / "script");
  std::string line;
  std::string word = "finish";
  for (int64_t number = 0; number < arguments.attempt && std::getline(script, line); ++number) word = line;
  return word;
}

class Link {
 public:
  explicit Link(const Arguments& arguments) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, arguments.socket.c_str(), sizeof address.sun_path - 1);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw_errno("connect");
    const Json plan_id = std::stoll(arguments.folder.filename().string());
    send(to_json(
        protocol::WorkerHello{plan_id, arguments.attempt, std::getenv("RFTD_WORKER_TOKEN"), ::getpid()}));
    if (next() != "welcome") std::exit(1);
  }
  void send(const Json& message) {
    const std::string line = dump_json(message) + "\n";
    if (::send(fd_, line.data(), line.size(), MSG_NOSIGNAL) < 0) std::cerr << "the daemon is gone\n";
  }
  // The type of the next message; "" when the daemon is gone.
  std::string next() { return next_message().value("type", ""); }
  Json next_message() {
    char buffer[4096];
    while (lines_.empty()) {
      const ssize_t got = ::read(fd_, buffer, sizeof buffer);
      if (got <= 0) return Json::object();
      lines_ = splitter_.feed({buffer, static_cast<size_t>(got)});
    }
    const std::string line = lines_.front();
    lines_.erase(lines_.begin());
    return parse_json(line, "a command");
  }

 private:
  int fd_;
  protocol::LineSplitter splitter_;
  std::vector<std::string> lines_;
};

void report(Link& link) {
  link.send({{"type", "progress"}, {"phase", "rollout"}, {"done", 12}, {"total", 128}, {"iteration", 3}});
  link.send({{"type", "metrics"}, {"iteration", 3}, {"values", {{"rollout/score_mean", 0.25}}}});
  link.send(
      {{"type", "validation"}, {"stage", "base"}, {"split", "validation"}, {"value", 0.5}, {"best", true}});
  link.send({{"type", "checkpoint"}, {"iteration", 3}, {"path", "checkpoints/iteration-000003"}});
  link.send({{"type", "log"}, {"level", "info"}, {"message", "hello"}});
  link.send({{"type", "warning"}, {"name", "length"}, {"message", "completions grow"}});
}

void note(const Arguments& arguments, const std::string& what) {
  std::ofstream(arguments.folder / "attempts.txt", std::ios::app)
      << what << " " << arguments.attempt << std::endl;
}

int finish(Link& link, const Arguments& arguments, const protocol::WorkerFinished& words) {
  link.send(to_json(words));
  note(arguments, "end");
  return words.outcome == protocol::WorkerOutcome::failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = read_arguments(argc, argv);
  const UniqueFd lock = try_lock_file(arguments.folder / "attempt.lock");
  if (!lock) return 75;
  note(arguments, "start");
  std::ofstream(arguments.folder / "command.txt")
      << arguments.all << "CUDA_VISIBLE_DEVICES=" << std::getenv("CUDA_VISIBLE_DEVICES");
  const std::string word = script_line(arguments);
  if (word == "mute") return ::pause();
  if (word == "quit") {
    std::cerr << "something is badly wrong\n";
    return 3;
  }
  Link link(arguments);
  report(link);
  using protocol::WorkerOutcome;
  if (word == "nap") std::this_thread::sleep_for(std::chrono::milliseconds(300));
  Json result = {{"model", "model"}};
  if (word == "warned")
    result["warnings"] = Json::array({{{"name", "length"}, {"message", "completions grew"}}});
  if (word == "finish" || word == "nap" || word == "warned")
    return finish(link, arguments, {.outcome = WorkerOutcome::succeeded, .result = result});
  if (word == "pause")
    return finish(link, arguments,
                  {.outcome = WorkerOutcome::paused, .pause_reason = "paused by [watch] length"});
  if (word == "fail")
    return finish(link, arguments,
                  {.outcome = WorkerOutcome::failed,
                   .error_code = ErrorCode::plugin,
                   .error_message = "the scorer crashed",
                   .failure = "crashed"});
  if (word == "transient")
    return finish(link, arguments,
                  {.outcome = WorkerOutcome::failed,
                   .error_code = ErrorCode::unavailable,
                   .error_message = "the disk is away",
                   .transient = true});
  if (word == "abort") ::abort();
  if (word == "kill") ::raise(SIGKILL);
  if (word == "deaf") return ::pause();
  Json told = link.next_message();
  for (; told.value("type", "") == "swap_scorer"; told = link.next_message()) {
    const bool taken = word == "swap";
    note(arguments,
         (told.at("pause_if_refused") ? "unattended " : "told of ") + told.at("plugin").get<std::string>());
    if (taken || word == "refuse")
      link.send(to_json(protocol::ScorerSwapOutcome{protocol::scorer_swap_from_json(told), taken, 3,
                                                    taken ? "" : "it scores nothing"}));
  }
  const std::string command = told.value("type", "");
  if (word == "linger") std::this_thread::sleep_for(std::chrono::seconds(1));
  note(arguments, command.empty() ? "orphaned" : command);
  return finish(link, arguments, {.outcome = WorkerOutcome::stopped});
}
