// A real rftd in a home of its own, driven as people drive it: with dropped folders, rftctl and kill. Every
// wait is for an event and is bounded; what comes too late throws.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/home.h"
#include "cli/job_feed.h"
#include "cli/program.h"
#include "plugins/isolation.h"
#include "support/processes.h"
#include "support/temp_dir.h"
#include "support/write_text.h"

namespace rft::integration {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// For machines that are busy with other things; nothing takes this long.
constexpr auto kPatience = std::chrono::seconds(120);

inline Clock::time_point patience_ends() { return Clock::now() + kPatience; }

// Folders that only a READY or a rename completes, and retries without much of a delay.
constexpr const char* kQuickRetries = "[intake]\nsettle_s = 0.3\n[retry]\nfirst_delay_s = 0.1\n";

struct Answer {
  int exit_code = -1;
  Json json;           // the last line of its output
  std::string errors;  // what it wrote to standard error
};

class DaemonHome {
 public:
  // `grants` are keys of [plugins].
  explicit DaemonHome(const std::string& rftd_toml = kQuickRetries, const std::string& grants = "")
      : manager_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, notify_socket_.c_str(), sizeof address.sun_path - 1);
    if (::bind(manager_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot listen for the daemon's readiness");
    const timeval patience{60, 0};
    ::setsockopt(manager_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (const char* folder : {"incoming", "models", "plugins"}) fs::create_directories(root_ / folder);
    fs::permissions(root_, fs::perms::owner_all);
    fs::create_directory_symlink(RFT_TINY_MODEL_DIR, root_ / "models/tiny");
    // Where nothing can be isolated the tests' own scorers are trusted.
    const bool isolates = plugins::available_isolation().namespaces;
    const std::string permitted = grants + (isolates ? "" : "trusted = [\"*\"]\n");
    write_text(root_ / "rftd.toml", rftd_toml + (permitted.empty() ? "" : "[plugins]\n" + permitted));
  }
  ~DaemonHome() {
    rftd_.reset();
    for (const pid_t worker : worker_pids()) ::kill(worker, SIGKILL);
    if (::testing::Test::HasFailure() && fs::exists(log_)) std::cerr << read_file(log_);
  }

  // ---- the daemon ----

  // A command line that rftd is to be started by.
  void set_wrapper(std::vector<std::string> wrapper) { wrapper_ = std::move(wrapper); }

  ProcessOptions program() const {
    ProcessOptions options;
    options.argv = wrapper_;
    options.argv.insert(options.argv.end(), {std::string(RFT_BIN_DIR) + "/rftd", "--home", root_.string()});
    options.environment = {{"NOTIFY_SOCKET", notify_socket_.string()}};
    options.stderr_file = log_;
    options.dies_with_parent = true;  // also of a test that is killed for its slowness
    return options;
  }
  // Returns once it says that it is ready.
  void start() {
    rftd_.emplace(program());
    for (;;) {
      char text[256];
      const ssize_t got = ::recv(manager_.get(), text, sizeof text, 0);
      if (got < 0) throw std::runtime_error("the daemon did not become ready: " + read_file(log_));
      if (std::string_view(text, static_cast<size_t>(got)) == "READY=1") return;
    }
  }
  // As a power cut leaves it: nothing that it owns is told anything.
  void kill() {
    rftd_->signal(SIGKILL);
    if (!rftd_->wait(5000)) throw std::runtime_error("rftd outlived SIGKILL");
  }
  Subprocess& rftd() { return *rftd_; }
  const fs::path& root() const { return root_; }
  std::string log() const { return read_file(log_); }

  // ---- rftctl ----

  Answer rftctl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--json", "--home", root_.string()});
    const auto result = cli::run_program(std::string(RFT_BIN_DIR) + "/rftctl", arguments);
    Answer answer{result.exit_code, nullptr, result.errors};
    std::istringstream lines(result.output);
    for (std::string line; std::getline(lines, line);) answer.json = parse_json(line, "the output of rftctl");
    return answer;
  }
  Json show(int64_t job) const { return rftctl({"show", std::to_string(job)}).json; }
  // The job once it has finished.
  Json wait(int64_t job) const {
    Answer answer = rftctl({"wait", std::to_string(job), "--timeout", std::to_string(kPatience.count())});
    if (answer.json.is_null()) throw std::runtime_error("job " + std::to_string(job) + ": " + answer.errors);
    return std::move(answer.json);
  }

  // ---- folders ----

  fs::path incoming(const std::string& name) const { return root_ / "incoming" / name; }
  fs::path job_folder(int64_t job) const { return show(job).at("folder").get<std::string>(); }
  // Renames a folder that is made elsewhere into incoming/, and answers the job that it becomes.
  int64_t drop(const fs::path& folder) const {
    const std::string name = folder.filename();
    fs::rename(folder, incoming(name));
    return job_of_folder(name);
  }
  fs::path staging(const std::string& name) const { return temp_ / name; }

  // ---- events ----

  // What `look` finds, tried again after every event of the daemon.
  template <class Look>
  auto find_after_events(const std::string& what, Look look) const -> typename decltype(look())::value_type {
    zmq::context_t zmq;
    cli::Connection events(zmq, zmq::socket_type::sub, cli::socket_path(root_, "events.sock"));
    events.socket().set(zmq::sockopt::subscribe, "");
    for (const auto deadline = patience_ends(); Clock::now() < deadline;) {
      if (const auto found = look()) return *found;
      // A subscription can come too late for the one event that matters: hence the second.
      if (events.wait(Clock::now() + std::chrono::seconds(1)) != cli::Connection::Event::readable) continue;
      for (zmq::message_t part; events.socket().recv(part, zmq::recv_flags::dontwait);) {
      }
    }
    throw std::runtime_error(what + " was waited for in vain");
  }
  // The number of the job that the folder `name` of incoming/ becomes.
  int64_t job_of_folder(const std::string& name) const {
    return find_after_events(name + " as a job", [&]() -> std::optional<int64_t> {
      for (const Json& job : rftctl({"ls"}).json)
        if (job.at("id") > 0 && is_of_folder(job, name)) return job.at("id");
      return std::nullopt;
    });
  }
  // The row of a file in HOME/plugins, once `holds` is true of it.
  Json await_plugin(const std::string& file, const std::function<bool(const Json&)>& holds) const {
    return find_after_events(file, [&]() -> std::optional<Json> {
      for (const Json& row : rftctl({"plugins", "ls"}).json)
        if (row.at("file") == file && row.at("origin") == "home" && holds(row)) return row;
      return std::nullopt;
    });
  }
  // The job at the first moment at which `holds` is true of it.
  Json await(int64_t job, const std::function<bool(const Json&)>& holds) const {
    cli::Client client(root_);
    cli::JobFeed feed(client, job);
    for (const auto deadline = patience_ends();;) {
      const auto update = feed.next(deadline);
      using Kind = cli::JobUpdate::Kind;
      if (update.kind == Kind::timeout || Clock::now() > deadline)
        throw std::runtime_error("waited in vain: " + show(job).dump());
      const bool whole = update.kind == Kind::snapshot || update.topic == "status";
      if (whole && holds(update.data)) return update.data;
    }
  }
  Json await_state(int64_t job, const std::string& state) const {
    return await(job, [&](const Json& now) {
      if (cli::is_finished(now.at("state").get<std::string>()) && now.at("state") != state)
        throw std::runtime_error("the job is not " + state + " but: " + now.dump());
      return now.at("state") == state;
    });
  }
  // The next event of `topic` (progress, metrics, ...) of which `holds` is true, of a job that has not
  // finished.
  Json await_event(
      int64_t job, const std::string& topic,
      const std::function<bool(const Json&)>& holds = [](const Json&) { return true; }) const {
    cli::Client client(root_);
    cli::JobFeed feed(client, job);
    for (const auto deadline = patience_ends();;) {
      const auto update = feed.next(deadline);
      using Kind = cli::JobUpdate::Kind;
      if (update.kind == Kind::event && update.topic == topic && holds(update.data)) return update.data;
      const bool whole = update.kind == Kind::snapshot || update.topic == "status";
      if (update.kind == Kind::timeout || Clock::now() > deadline ||
          (whole && cli::is_finished(update.data.at("state").get<std::string>())))
        throw std::runtime_error("there was no such " + topic + " any more: " + show(job).dump());
    }
  }
  // The end of a PPO iteration: the job has got into the middle of its work.
  void await_iteration(int64_t job) const {
    await_event(job, "metrics",
                [](const Json& event) { return event.at("values").contains("rollout/score_mean"); });
  }

  // ---- workers ----

  // The processes that train a job of this home, whoever their parent is.
  std::vector<pid_t> worker_pids() const {
    const std::string words = std::string("train\0", 6) + (root_ / "jobs/").string();
    return pids_of("rft-worker", [&](const SeenProcess& process) {
      return process.command_line.find(words) != std::string::npos;
    });
  }
  // Of the plugins' processes those of this home: bubblewrap's names it, the host's works in a job's folder.
  std::vector<pid_t> plugin_host_pids() const {
    return pids_of("rft-plugin-host", [&](const SeenProcess& process) {
      return process.command_line.find(root_.string()) != std::string::npos ||
             process.working_folder.string().starts_with(root_.string());
    });
  }

 private:
  // Of the processes whose command line names `program` those that `holds` is true of.
  template <class Holds>
  static std::vector<pid_t> pids_of(const std::string& program, const Holds& holds) {
    std::vector<pid_t> pids;
    for (const SeenProcess& process : all_processes())
      if (process.command_line.find(program) != std::string::npos && holds(process))
        pids.push_back(process.pid);
    return pids;
  }

  static bool is_of_folder(const Json& job, const std::string& name) {
    const std::string folder = fs::path(job.at("folder").get<std::string>()).filename();
    return folder == name || folder == job.at("id").dump() + "-" + name;
  }

  TempDir temp_;
  fs::path root_ = temp_ / "home";
  fs::path log_ = temp_ / "rftd.log";
  fs::path notify_socket_ = temp_ / "notify";
  UniqueFd manager_;
  std::vector<std::string> wrapper_;
  std::optional<Subprocess> rftd_;
};

}  // namespace rft::integration
