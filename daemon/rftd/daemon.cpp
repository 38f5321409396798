#include "rftd/daemon.h"

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <csignal>

#include "base/error.h"
#include "base/program_folder.h"
#include "base/unique_fd.h"
#include "config/daemon_config.h"
#include "control/control.h"
#include "jobs/jobs.h"
#include "plugins/cgroup.h"
#include "plugins/isolation.h"
#include "plugins/launch.h"
#include "rftd/home_lock.h"
#include "rftd/log.h"
#include "rftd/notify.h"

namespace rft::daemon {
namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace {

// Of the two seconds that a stop may take.
constexpr int kWorkersMayTakeMs = 1500;

// SIGTERM and SIGINT come through a descriptor, to this thread and all that it starts: delivered, one would
// break off a call of ZeroMQ, which throws then.
UniqueFd hold_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  UniqueFd held(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!held) throw_errno("cannot wait for signals");
  return held;
}

// Asked now, of what they say scripts are started with later.
void require_interpreters(const config::DaemonConfig& config) {
  for (const auto& python : config.plugins.python) try {
      plugins::require_python(python);
    } catch (const Error& error) {
      throw Error(error.code(), config.lines.where("plugins", "python") + "[plugins] python: " + error.what(),
                  "python");
    }
}

}  // namespace

void run_daemon(const fs::path& root, int ready_fd) {
  ::umask(0027);
  UniqueFd held_signals = hold_stop_signals();
  std::signal(SIGPIPE, SIG_IGN);
  // The pool's threads are few and short of breath: an arena for each would only hold memory back, and so
  // would thresholds that grow with the largest answer ever given.
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 64 << 10);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 10);

  const HeldHome held = hold_home(root);
  const auto config = config::read_daemon_config(held.home.config());
  start_log(config.log);
  require_interpreters(config);
  spdlog::info("rftd " RFT_VERSION " serves " + held.home.root.string());

  plugins::prepare_cgroups();
  asio::io_context io(1);
  const fs::path programs = program_folder();
  jobs::Jobs jobs(io, {held.home.root, held.run_folder / "worker.sock", programs, config});
  control::Control control(
      io, jobs,
      {held.home.root, held.run_folder, programs, config.plugins.python, [&jobs] { return jobs.plugins(); }});
  jobs.set_event_sink(
      [&control](const std::string& topic, const Json& event) { control.publish(topic, event); });
  jobs.start();
  // Tried now rather than when the first job comes.
  if (const auto& isolation = plugins::available_isolation(); !isolation.missing.empty())
    spdlog::warn("plugins are not kept apart as they could be: " + isolation.missing);

  asio::posix::stream_descriptor stop_signals(io, held_signals.release());
  stop_signals.async_wait(asio::posix::stream_descriptor::wait_read,
                          [&](const boost::system::error_code& error) {
                            if (error) return;
                            notify_service_manager("STOPPING=1");
                            spdlog::info("stopping; running jobs continue at the next start");
                            jobs.stop(kWorkersMayTakeMs, [&io] { io.stop(); });
                          });
  const Watchdog watchdog(io);
  notify_service_manager("READY=1");
  notify_descriptor(ready_fd);
  io.run();
  spdlog::info("stopped");
  spdlog::shutdown();
  // What the pool is still at may take long, and the next start takes it up again as after any crash.
  ::_exit(0);
}

}  // namespace rft::daemon
