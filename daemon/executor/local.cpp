#include "executor/local.h"

#include <fcntl.h>
#include <signal.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdlib>

#include "base/error.h"

namespace rft::executor {
namespace {

namespace asio = boost::asio;

// How often a thread of the worker looks whether the others have got there before it sleeps: long enough for
// a rollout's short steps, too short to hold up whoever else wants the core. OpenMP's own default (300,000)
// makes a job two to four times slower on a machine that is busy with others.
constexpr const char* kSpinCount = "1000";

ProcessOptions process_options(const std::filesystem::path& worker, const AttemptSpec& spec) {
  ProcessOptions options;
  options.argv = {worker.string(),
                  "train",
                  spec.job_folder.string(),
                  "--socket",
                  spec.socket.string(),
                  "--attempt",
                  std::to_string(spec.attempt),
                  "--threads",
                  std::to_string(spec.threads),
                  "--device",
                  spec.gpus.empty() ? "cpu" : "cuda"};
  std::string gpus;
  for (const auto& uuid : spec.gpus) gpus += (gpus.empty() ? "" : ",") + uuid;
  // Set without GPUs too: a job sees only what it was given.
  options.environment = {
      {"RFTD_WORKER_TOKEN", spec.token}, {"CUDA_VISIBLE_DEVICES", gpus}, {"NOTIFY_SOCKET", ""}};
  if (std::getenv("GOMP_SPINCOUNT") == nullptr && std::getenv("OMP_WAIT_POLICY") == nullptr)
    options.environment.push_back({"GOMP_SPINCOUNT", kSpinCount});
  options.working_directory = spec.job_folder;
  options.stderr_file = spec.stderr_file;
  return options;
}

// What the watch's handler needs, kept by it: the handler may be on its way when the placement goes.
struct Watch {
  Watch(asio::io_context& io, const ProcessOptions& options)
      : process(options), exit(io, duplicate(process.pidfd())) {}

  Subprocess process;
  asio::posix::stream_descriptor exit;
  bool abandoned = false;

 private:
  // The descriptor belongs to the event loop, the pidfd to the process.
  static int duplicate(int fd) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) throw_errno("cannot watch a process");
    return copy;
  }
};

class LocalPlacement final : public Placement {
 public:
  LocalPlacement(asio::io_context& io, const ProcessOptions& options,
                 std::function<void(const ExitStatus&)> ended)
      : watch_(std::make_shared<Watch>(io, options)) {
    watch_->exit.async_wait(
        asio::posix::stream_descriptor::wait_read,
        [watch = watch_, ended = std::move(ended)](const boost::system::error_code& error) {
          if (error || watch->abandoned) return;
          // What it left behind goes while its unreaped id still keeps the group's number.
          watch->process.signal_group(SIGKILL);
          ended(*watch->process.wait(-1));
        });
  }
  ~LocalPlacement() override {
    if (!watch_->abandoned) kill();
    forget();
  }

  int64_t pid() const override { return watch_->process.pid(); }
  void kill() override {
    watch_->process.signal_group(SIGKILL);
    watch_->process.signal(SIGKILL);
  }
  void abandon() override {
    forget();
    watch_->process.release();
  }

 private:
  void forget() {
    watch_->abandoned = true;
    boost::system::error_code ignored;
    watch_->exit.close(ignored);
  }

  std::shared_ptr<Watch> watch_;
};

}  // namespace

LocalExecutor::LocalExecutor(asio::io_context& io, std::filesystem::path worker)
    : io_(io), worker_(std::move(worker)) {}

std::unique_ptr<Placement> LocalExecutor::place(const AttemptSpec& spec,
                                                std::function<void(const ExitStatus&)> ended) {
  return std::make_unique<LocalPlacement>(io_, process_options(worker_, spec), std::move(ended));
}

}  // namespace rft::executor
