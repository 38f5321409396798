// The real pipeline of a job, without a daemon, that kills itself at a place which its arguments name:
//
//   mortal_worker JOB_DIR STAGE N
//
// STAGE is a phase that the job reports (warmup, rollout, score, update, validation, export, …): it dies when
// the N-th piece of it is complete, which of an update is a minibatch. Of the stage "files" it dies just
// before it makes a file durable, or gives it its name, for the N-th time. N = 0: it lives, and writes to
// JOB_DIR/counts.json how often it came to each.
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <string>

#include "base/files.h"
#include "base/json.h"
#include "engine/runtime.h"
#include "plugins/launch.h"
#include "worker/pipeline.h"
#include "worker/reporter.h"

namespace {

std::map<std::string, int64_t> times;
std::string fatal_stage;
int64_t fatal_time = 0;

void come_to(const std::string& stage) {
  if (++times[stage] == fatal_time && stage == fatal_stage) ::raise(SIGKILL);
}

class MortalReporter : public rft::worker::Reporter {
 public:
  using Reporter::Reporter;
  void advance(std::string_view phase, int64_t done, int64_t total, std::string_view unit) override {
    Reporter::advance(phase, done, total, unit);
    come_to(std::string(phase));
  }
};

}  // namespace

// In place of the C library's.
extern "C" int fsync(int descriptor) {
  come_to("files");
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}
extern "C" int rename(const char* from, const char* to) noexcept {
  come_to("files");
  return static_cast<int>(::syscall(SYS_rename, from, to));
}

int main(int argc, char** argv) {
  using namespace rft;
  if (argc != 4) return 2;
  fatal_stage = argv[2];
  fatal_time = std::stoll(argv[3]);
  engine::set_num_threads(1);
  const std::atomic<bool> stop_requested = false;
  const worker::JobFolder folder{argv[1]};
  MortalReporter reporter(folder.root, nullptr, stop_requested, engine::Ranks::alone());
  worker::Run run(folder, {.host_program = plugins::host_program_beside_executable()}, reporter,
                  engine::Ranks::alone());
  worker::run_pipeline(run);
  if (fatal_time == 0) write_file_atomically(folder.root / "counts.json", dump_json(Json(times)));
}
