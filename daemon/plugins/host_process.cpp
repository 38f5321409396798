#include "plugins/host_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <fstream>

#include "plugins/launch.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

constexpr int kEndTimeoutMs = 1000;
constexpr size_t kMaxTailBytes = 2000;

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

std::string make_title(const HostOptions& options, const std::string& role) {
  const std::string name = options.name.empty() ? options.plugin_path.filename().string() : options.name;
  return (role == "scorer" ? "scorer " : "adapter ") + name + " (" + options.plugin_path.string() + ")";
}

std::pair<UniqueFd, UniqueFd> make_socketpair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw_errno("cannot make a socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Subprocess start(const HostOptions& options, const Launch& launch, int socket) {
  ProcessOptions process;
  process.argv = launch.argv;
  process.environment = launch.environment;
  process.inherit_environment = false;
  process.working_directory = options.work_dir.empty() ? fs::path("/") : options.work_dir;
  process.descriptors = {{socket, wire::kHostSocket}};
  process.stderr_file = options.stderr_file;
  // Bubblewrap sees to it by itself, once it is set up. Killed before, it would leave behind a child that
  // waits for it for ever; let go on, it finds its host's socket closed and ends.
  process.dies_with_parent = !launch.in_namespaces;
  return Subprocess(process);
}

uint64_t file_size_or_zero(const fs::path& path) {
  std::error_code missing;
  const auto size = path.empty() ? 0 : fs::file_size(path, missing);
  return missing ? 0 : size;
}

}  // namespace

HostProcess::HostProcess(const HostOptions& options, const std::string& role)
    : title_(make_title(options, role)),
      stderr_file_(options.stderr_file),
      stderr_start_(file_size_or_zero(options.stderr_file)),
      process_([&] {
        const Launch launch = plan_launch(options);
        in_namespaces_ = launch.in_namespaces;
        auto [ours, theirs] = make_socketpair();
        ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
        socket_ = std::move(ours);
        return start(options, launch, theirs.get());
      }()) {
  wire::Open open{.role = role,
                  .implementation = options.kind,
                  .path = options.plugin_path.string(),
                  .options = dump_json(options.options),
                  .python = options.python.string(),
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

bool HostProcess::ended_within(int timeout_ms) const {
  pollfd watched{process_.pidfd(), POLLIN, 0};
  int ready;
  do ready = ::poll(&watched, 1, timeout_ms);
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

ExitStatus HostProcess::kill() {
  socket_.reset();
  // Before the leader is reaped, so that the group's number is still its own.
  process_.signal_group(SIGKILL);
  return *process_.wait(-1);
}

std::string HostProcess::ask(const std::string& frame, wire::FrameType expected, double timeout_s,
                             const std::string& doing) {
  const Deadline deadline = monotonic_ns() + static_cast<int64_t>(timeout_s * 1e9);
  wire::FrameType type = expected;
  std::string body;
  try {
    send(frame, deadline);
    body = receive(type, deadline);
    if (type == wire::FrameType::failed) {
      const wire::Failed failed = wire::decode_failed(body);
      throw PluginError(failed.kind, title_ + ": " + failed.text + " (while " + doing + ")" +
                                         (failed.kind == PluginFailure::crashed ? stderr_tail() : ""));
    }
    if (type != expected) throw PluginError(PluginFailure::protocol, "its process answered out of turn");
    return body;
  } catch (const DeadlinePassed&) {
    kill();
    throw PluginError(PluginFailure::timed_out, title_ + ": no answer within " + seconds_text(timeout_s) +
                                                    " while " + doing + "; its process was killed" +
                                                    stderr_tail());
  } catch (const ConnectionClosed&) {
    fail_crashed(doing);
  } catch (const PluginError& error) {
    const bool usable = type == wire::FrameType::failed && error.kind() != PluginFailure::protocol &&
                        error.kind() != PluginFailure::crashed;
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
  // The process's own end wakes this too: something that it left behind may hold the connection open.
  pollfd watched[] = {{socket_.get(), events, 0}, {process_.pidfd(), POLLIN, 0}};
  for (;;) {
    const int64_t left_ns = deadline - monotonic_ns();
    if (left_ns <= 0) throw DeadlinePassed{};
    const timespec timeout{left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    const int ready = ::ppoll(watched, 2, &timeout, nullptr);
    if (ready < 0 && errno != EINTR) throw_errno("cannot wait for a plugin's process");
    if (ready <= 0) continue;
    if (watched[0].revents != 0) return;
    throw ConnectionClosed{};
  }
}

void HostProcess::fail_crashed(const std::string& doing) {
  socket_.reset();
  const bool ended = ended_within(kEndTimeoutMs);
  ExitStatus status = kill();
  if (!ended)
    throw PluginError(PluginFailure::protocol,
                      title_ + ": its process closed the connection while " + doing + stderr_tail());
  // bubblewrap answers for a process that a signal ended as a shell does.
  if (in_namespaces_ && status.exit_code && *status.exit_code > 128)
    status = ExitStatus{std::nullopt, *status.exit_code - 128};
  throw PluginError(PluginFailure::crashed,
                    title_ + ": its process " + status.text() + " while " + doing + stderr_tail());
}

std::string HostProcess::stderr_tail() const {
  const uint64_t size = file_size_or_zero(stderr_file_);
  if (size <= stderr_start_) return "";
  std::ifstream in(stderr_file_, std::ios::binary);
  const uint64_t from = std::max(stderr_start_, size > kMaxTailBytes ? size - kMaxTailBytes : 0);
  in.seekg(static_cast<std::streamoff>(from));
  std::string tail((std::istreambuf_iterator<char>(in)), {});
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == ' ')) tail.pop_back();
  return tail.empty() ? "" : "; its last words:\n" + tail;
}

}  // namespace rft::plugins
