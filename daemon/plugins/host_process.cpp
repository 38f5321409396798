#include "plugins/host_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

constexpr int kEndTimeoutMs = 1000;

// Thrown inside this file: the process is at its end, or silent; ask() makes the PluginError of it.
struct ConnectionClosed {};
struct DeadlinePassed {};

int64_t monotonic_ns() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", seconds);
  return text;
}

std::string gibibytes_text(uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%g GiB", static_cast<double>(bytes) / (uint64_t{1} << 30));
  return text;
}

// The user's file: a job names it, or a registered plugin without its extension, which the pinned copy keeps.
std::string users_file(const HostOptions& options) {
  if (options.name.empty()) return options.plugin_path.filename().string();
  const std::string extension = options.plugin_path.extension().string();
  return options.name.ends_with(extension) ? options.name : options.name + extension;
}

std::string make_title(const std::string& role, const std::string& name, const std::string& file) {
  return (role == "scorer" ? "scorer " : "adapter ") +
         (name.empty() || name == file ? file : name + " (" + file + ")");
}

std::pair<UniqueFd, UniqueFd> make_socketpair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw_errno("cannot make a socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Subprocess start(const HostOptions& options, const Launch& launch, int socket, PrintedOutput& printed,
                 const PluginCgroup& cgroup) {
  ProcessOptions process;
  process.cgroup = cgroup.entrance();
  process.argv = launch.argv;
  process.environment = launch.environment;
  process.inherit_environment = false;
  process.working_directory = options.work_dir.empty() ? fs::path("/") : options.work_dir;
  process.descriptors = {{socket, wire::kHostSocket}};
  const UniqueFd prints = printed.take_write_end();
  if (prints) process.descriptors.insert(process.descriptors.end(), {{prints.get(), 1}, {prints.get(), 2}});
  // Bubblewrap sees to it by itself, once it is set up. Killed before, it would leave behind a child that
  // waits for it for ever; let go on, it finds its host's socket closed and ends.
  process.dies_with_parent = !launch.in_namespaces;
  return Subprocess(process);
}

}  // namespace

HostProcess::HostProcess(const HostOptions& options, const std::string& role)
    : HostProcess(options, role, plan_launch(options)) {}

HostProcess::HostProcess(const HostOptions& options, const std::string& role, const Launch& launch)
    : plugin_path_(options.plugin_path.string()),
      file_(users_file(options)),
      title_(make_title(role, options.name, file_)),
      memory_limit_bytes_(options.memory_limit_bytes),
      awake_ns_(options.kind == "shared_object" ? wire::kAwakeNs : 0),
      printed_(options.stderr_file),
      cgroup_(options.memory_limit_bytes),
      in_namespaces_(launch.in_namespaces),
      process_([&] {
        auto [ours, theirs] = make_socketpair();
        ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
        socket_ = std::move(ours);
        return start(options, launch, theirs.get(), printed_, cgroup_);
      }()) {
  wire::Open open{.role = role,
                  .implementation = options.kind,
                  .path = options.plugin_path.string(),
                  .options = dump_json(options.options),
                  .python = launch.view.python.empty() ? options.python.string() : launch.view.python,
                  .readable = {launch.view.shown.begin(), launch.view.shown.end()},
                  .secrets = launch.secrets,
                  .state_file = options.state_file.string(),
                  .num_hosts = options.num_hosts,
                  .timeout_s = options.timeout_s,
                  .memory_limit_bytes = options.memory_limit_bytes,
                  .allow_network = options.allow_network,
                  .trusted = options.trusted};
  opened_ = wire::decode_opened(
      ask(wire::encode(open), wire::FrameType::opened, options.start_timeout_s, "it was being loaded"));
}

HostProcess::~HostProcess() {
  if (!alive()) return;
  socket_.reset();  // the end of the connection is the order to end
  ended_within(kEndTimeoutMs);
  kill();
}

bool HostProcess::ended_within(int timeout_ms) {
  return wait(0, monotonic_ns() + timeout_ms * int64_t{1'000'000}) == Woken::by_its_end;
}

ExitStatus HostProcess::kill() {
  socket_.reset();
  // Before the leader is reaped, so that the group's number is still its own.
  process_.signal_group(SIGKILL);
  cgroup_.kill();
  const ExitStatus status = *process_.wait(-1);
  printed_.drain();
  return status;
}

std::string HostProcess::explained(std::string words) const {
  for (size_t found = 0; (found = words.find(plugin_path_, found)) != std::string::npos;
       found += file_.size())
    words.replace(found, plugin_path_.size(), file_);
  if (!tells_of_lack_of_memory(words) || memory_limit_bytes_ == 0) return words;
  return words + "; a plugin's memory is limited to " + gibibytes_text(memory_limit_bytes_);
}

bool HostProcess::tells_of_lack_of_memory(std::string_view words) {
  return words.find("bad_alloc") != std::string_view::npos ||
         words.find("MemoryError") != std::string_view::npos;
}

int64_t HostProcess::memory_bytes() const {
  int64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const pid_t pid = std::atoi(it->path().filename().c_str());
    if (pid <= 0 || ::getpgid(pid) != process_.pid()) continue;
    std::ifstream status(it->path() / "status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("RssAnon:")) bytes += 1024 * std::atoll(line.c_str() + sizeof "RssAnon:");
  }
  return bytes;
}

std::string HostProcess::ask(const std::string& frame, wire::FrameType expected, double timeout_s,
                             const std::string& doing, const std::string& timeout_key) {
  const Deadline deadline = monotonic_ns() + static_cast<int64_t>(timeout_s * 1e9);
  wire::FrameType type = expected;
  std::string body;
  try {
    send(frame, deadline);
    body = receive(type, deadline);
    printed_.drain();
    if (type == wire::FrameType::failed) {
      wire::Failed failed = wire::decode_failed(body);
      if (failed.kind == PluginFailure::threw && tells_of_lack_of_memory(failed.text))
        failed.kind = PluginFailure::out_of_memory;
      throw PluginError(failed.kind, title_ + ": " + explained(failed.text) + " (while " + doing + ")" +
                                         (failed.kind == PluginFailure::crashed ? last_words() : ""));
    }
    if (type != expected) throw PluginError(PluginFailure::protocol, "its process answered out of turn");
    return body;
  } catch (const DeadlinePassed&) {
    kill();
    throw PluginError(PluginFailure::timed_out,
                      title_ + ": no answer within " + seconds_text(timeout_s) + " while " + doing +
                          "; its process was killed" +
                          (timeout_key.empty() ? "" : "; " + timeout_key + " gives it longer") +
                          last_words());
  } catch (const ConnectionClosed&) {
    fail_crashed(doing);
  } catch (const PluginError& error) {
    const bool usable = type == wire::FrameType::failed && error.kind() != PluginFailure::protocol &&
                        error.kind() != PluginFailure::crashed &&
                        error.kind() != PluginFailure::out_of_memory;  // what it leaked is still there
    if (!usable) kill();
    if (error.kind() != PluginFailure::protocol || type == wire::FrameType::failed) throw;
    throw PluginError(error.kind(), title_ + ": " + error.what() + " (while " + doing + ")");
  }
}

void HostProcess::send(std::string_view frame, Deadline deadline) {
  while (!frame.empty()) {
    const ssize_t sent = ::send(socket_.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
    if (sent >= 0)
      frame.remove_prefix(static_cast<size_t>(sent));
    else if (errno == EAGAIN)
      wait_until_ready(POLLOUT, deadline);
    else if (errno == EPIPE || errno == ECONNRESET)
      throw ConnectionClosed{};
    else if (errno != EINTR)
      throw_errno("cannot write to a plugin's process");
  }
}

std::string HostProcess::receive(wire::FrameType& type, Deadline deadline) {
  char header[wire::kHeaderBytes];
  receive_exactly(header, sizeof header, deadline);
  const wire::Header frame = wire::read_header({header, sizeof header});
  type = frame.type;
  std::string body(frame.body_bytes, '\0');
  receive_exactly(body.data(), body.size(), deadline);
  return body;
}

void HostProcess::receive_exactly(char* into, size_t size, Deadline deadline) {
  while (size > 0) {
    const ssize_t got = ::recv(socket_.get(), into, size, 0);
    if (got > 0) {
      into += got;
      size -= static_cast<size_t>(got);
    } else if (got == 0 || errno == ECONNRESET) {
      throw ConnectionClosed{};
    } else if (errno == EAGAIN) {
      wait_until_ready(POLLIN, deadline);
    } else if (errno != EINTR) {
      throw_errno("cannot read from a plugin's process");
    }
  }
}

void HostProcess::wait_until_ready(short events, Deadline deadline) {
  // The process's own end counts too: something that it left behind may hold the connection open.
  const Woken woken = wait(events, deadline);
  if (woken == Woken::by_deadline) throw DeadlinePassed{};
  if (woken == Woken::by_its_end) throw ConnectionClosed{};
}

HostProcess::Woken HostProcess::wait(short events, Deadline deadline) {
  // To fall asleep and be woken can take longer than a quick shared object: looked for a moment first, the
  // core left to whoever else wants it.
  for (const Deadline asleep = monotonic_ns() + awake_ns_;;) {
    const int64_t now = monotonic_ns(), left_ns = now < asleep ? 0 : deadline - now;
    if (now >= deadline) return Woken::by_deadline;
    if (left_ns == 0) ::sched_yield();
    const timespec timeout{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    pollfd watched[] = {
        {socket_.get(), events, 0}, {process_.pidfd(), POLLIN, 0}, {printed_.readable(), POLLIN, 0}};
    const int ready = ::ppoll(watched, 3, &timeout, nullptr);
    if (ready < 0 && errno != EINTR) throw_errno("cannot wait for a plugin's process");
    if (ready <= 0) continue;
    if (watched[2].revents != 0) printed_.drain();
    if (watched[0].revents != 0) return Woken::by_socket;
    if (watched[1].revents != 0) return Woken::by_its_end;
  }
}

void HostProcess::fail_crashed(const std::string& doing) {
  socket_.reset();
  const bool ended = ended_within(kEndTimeoutMs);
  ExitStatus status = kill();
  if (!ended)
    throw PluginError(PluginFailure::protocol,
                      title_ + ": its process closed the connection while " + doing + last_words());
  // bubblewrap answers for a process that a signal ended as a shell does.
  if (in_namespaces_ && status.exit_code && *status.exit_code > 128)
    status = ExitStatus{std::nullopt, *status.exit_code - 128};
  if (cgroup_.ran_out_of_memory())
    throw PluginError(PluginFailure::out_of_memory,
                      title_ + ": it and what it started took more memory than the " +
                          gibibytes_text(memory_limit_bytes_) + " that it may take, while " + doing +
                          last_words());
  throw PluginError(PluginFailure::crashed,
                    title_ + ": its process " + status.text() + " while " + doing + last_words());
}

std::string HostProcess::last_words() {
  printed_.drain();
  std::string words = printed_.tail();
  words.erase(words.find_last_not_of("\n ") + 1);
  return words.empty() ? "" : "; its last words:\n" + explained(words);
}

}  // namespace rft::plugins
