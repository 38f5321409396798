#include "base/subprocess.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/pipe.h"

namespace rft {
namespace {

// Everything the child needs, laid out before the fork: after it, only system calls are allowed.
struct ChildPlan {
  std::vector<char*> argv;
  std::vector<char*> envp;
  std::vector<std::string> environment;
  std::vector<std::pair<int, int>> descriptors;
  const char* working_directory = nullptr;
  int stderr_fd = -1;
  bool dies_with_parent = false;
  int cgroup = -1;
  pid_t parent = 0;
};

ChildPlan plan_child(const ProcessOptions& options) {
  ChildPlan plan;
  for (const auto& arg : options.argv) plan.argv.push_back(const_cast<char*>(arg.c_str()));
  plan.argv.push_back(nullptr);
  std::map<std::string, std::string> environment;
  for (char** entry = environ; options.inherit_environment && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (const auto equals = text.find('='); equals != std::string::npos)
      environment[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : options.environment) environment[name] = value;
  for (const auto& [name, value] : environment) plan.environment.push_back(name + "=" + value);
  for (auto& entry : plan.environment) plan.envp.push_back(entry.data());
  plan.envp.push_back(nullptr);
  plan.descriptors = options.descriptors;
  if (!options.working_directory.empty()) plan.working_directory = options.working_directory.c_str();
  plan.dies_with_parent = options.dies_with_parent;
  plan.cgroup = options.cgroup;
  plan.parent = ::getpid();
  return plan;
}

// Runs in the child. Answers only on failure, with errno set.
void exec_child(ChildPlan& plan) {
  ::setpgid(0, 0);
  if (plan.dies_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != plan.parent) ::_exit(127);  // the parent died before the line above
  }
  if (plan.cgroup >= 0 && ::write(plan.cgroup, "0", 1) != 1) return;
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (plan.stderr_fd >= 0 && (::dup2(plan.stderr_fd, 1) < 0 || ::dup2(plan.stderr_fd, 2) < 0)) return;
  // Whatever the parent has open (libraries' descriptors too) ends at the exec, but for the chosen ones.
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  // First above every target number, then down: no target is overwritten while it is still a source.
  int top = 3;
  for (const auto& [from, to] : plan.descriptors) top = std::max(top, to + 1);
  for (auto& [from, to] : plan.descriptors)
    if ((from = ::fcntl(from, F_DUPFD_CLOEXEC, top)) < 0) return;
  for (const auto& [from, to] : plan.descriptors)
    if (::dup2(from, to) < 0) return;
  if (plan.working_directory != nullptr && ::chdir(plan.working_directory) != 0) return;
  ::execve(plan.argv[0], plan.argv.data(), plan.envp.data());
}

}  // namespace

std::string ExitStatus::text() const {
  if (exit_code) return "exited with code " + std::to_string(*exit_code);
  return "was killed by signal " + std::to_string(*signal) + " (" + ::strsignal(*signal) + ")";
}

Subprocess::Subprocess(const ProcessOptions& options) {
  ChildPlan plan = plan_child(options);
  UniqueFd stderr_fd;
  if (!options.stderr_file.empty()) {
    stderr_fd =
        UniqueFd(::open(options.stderr_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!stderr_fd) throw_errno("cannot open " + options.stderr_file.string());
    plan.stderr_fd = stderr_fd.get();
  }
  // The child's errno comes back through a pipe that a successful exec closes.
  Pipe failure;

  pid_ = ::fork();
  if (pid_ < 0) throw_errno("cannot fork for " + options.argv[0]);
  if (pid_ == 0) {
    exec_child(plan);
    const int error = errno;
    [[maybe_unused]] const auto written = ::write(failure.write.get(), &error, sizeof error);
    ::_exit(127);
  }
  failure.write.reset();
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    const int error = errno;
    kill_and_reap();
    errno = error;
    throw_errno("cannot watch " + options.argv[0]);
  }
  int error = 0;
  if (::read(failure.read.get(), &error, sizeof error) == sizeof error) {
    kill_and_reap();
    errno = error;
    throw_errno("cannot run " + options.argv[0]);
  }
}

Subprocess::Subprocess(Subprocess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), status_(other.status_) {}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  if (this != &other) {
    kill_and_reap();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    status_ = other.status_;
  }
  return *this;
}

Subprocess::~Subprocess() { kill_and_reap(); }

void Subprocess::signal(int number) const {
  if (pidfd_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void Subprocess::signal_group(int number) const {
  if (pidfd_ && !status_) ::kill(-pid_, number);
}

void Subprocess::release() noexcept {
  pid_ = -1;
  pidfd_.reset();
}

std::optional<ExitStatus> Subprocess::wait(int timeout_ms) {
  if (status_) return status_;
  pollfd watched{pidfd_.get(), POLLIN, 0};
  int ready;
  do ready = ::poll(&watched, 1, timeout_ms);
  while (ready < 0 && errno == EINTR);
  if (ready <= 0) return std::nullopt;
  siginfo_t info{};
  rusage usage{};  // which the system call tells, and the C library's function does not
  if (::syscall(SYS_waitid, P_PIDFD, pidfd_.get(), &info, WEXITED, &usage) != 0)
    throw_errno("cannot reap a process");
  status_ = ExitStatus{};
  status_->peak_memory = int64_t{usage.ru_maxrss} * 1024;
  if (info.si_code == CLD_EXITED)
    status_->exit_code = info.si_status;
  else
    status_->signal = info.si_status;
  return status_;
}

void Subprocess::kill_and_reap() noexcept {
  if (pid_ <= 0 || status_) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  int ignored;
  while (::waitpid(pid_, &ignored, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace rft
