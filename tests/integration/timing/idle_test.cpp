// What rftd and its clients cost while nothing happens, and how soon it answers.
#include <fcntl.h>
#include <unistd.h>

#include "integration/daemon_home.h"
#include "integration/small_job.h"

namespace rft::integration {
namespace {

// User and system time of a process, in the kernel's hundredths of a second.
int64_t ticks_of(pid_t pid) {
  std::istringstream stat(read_file("/proc/" + std::to_string(pid) + "/stat"));
  std::string field;
  int64_t sum = 0;
  for (int index = 1; stat >> field && index <= 15; ++index)
    if (index >= 14) sum += std::stoll(field);
  return sum;
}

int64_t resident_kb(pid_t pid) {
  std::istringstream status(read_file("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmRSS:", 0) == 0) return std::stoll(line.substr(6));
  return -1;
}

TEST(IdleDaemon, TakesNoProcessorAndLittleMemoryAfterAJob) {
  DaemonHome home;
  home.start();
  ASSERT_EQ(home.wait(home.drop(write_small_job(home.staging("words"))))["state"], "succeeded");
  const int64_t paused = home.drop(write_small_job(home.staging("more"), {.epochs = 10000}));
  home.await_event(paused, "progress");
  ASSERT_EQ(home.rftctl({"pause", std::to_string(paused)}).exit_code, 0);

  const int64_t before = ticks_of(home.rftd().pid());
  const Answer waited = home.rftctl({"wait", std::to_string(paused), "--timeout", "3"});
  EXPECT_EQ(waited.exit_code, cli::kTimedOut);
  const int64_t spent = ticks_of(home.rftd().pid()) - before;
  RecordProperty("ticks_in_3_s", std::to_string(spent));
  EXPECT_LE(spent, 2) << "hundredths of a second, the answers to rftctl among them";

  const int64_t resident = resident_kb(home.rftd().pid());
  RecordProperty("resident_kb", std::to_string(resident));
  EXPECT_GT(resident, 0);
  EXPECT_LT(resident, 20 * 1024);
}

TEST(StartedDaemon, AnswersAtOnce) {
  DaemonHome home;
  home.start();
  const int64_t job = home.rftctl({"submit", write_small_job(home.staging("words")).string()}).json["id"];
  ASSERT_EQ(home.rftctl({"pause", std::to_string(job)}).exit_code, 0);
  home.kill();

  const auto begin = Clock::now();
  home.start();
  EXPECT_EQ(home.show(job)["state"], "paused");
  const auto taken_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
  RecordProperty("first_answer_ms", std::to_string(taken_ms));
  std::cout << "the first answer came " << taken_ms << " ms after the start, rftctl's own among them\n";
  EXPECT_LT(taken_ms, 3000) << "100 ms on a machine with nothing else to do";
}

TEST(WatchWithoutATerminal, TakesNoProcessorWhileNothingHappens) {
  DaemonHome home;
  home.start();
  const int64_t job = home.rftctl({"submit", write_small_job(home.staging("words")).string()}).json["id"];
  ASSERT_EQ(home.rftctl({"pause", std::to_string(job)}).exit_code, 0);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd output(ends[0]);
  UniqueFd input(ends[1]);
  ProcessOptions options;
  options.argv = {std::string(RFT_BIN_DIR) + "/rftctl", "watch", std::to_string(job), "--home", home.root()};
  options.descriptors = {{input.get(), 1}};
  const Subprocess watch(options);
  input.reset();
  char first;
  ASSERT_EQ(::read(output.get(), &first, 1), 1) << "it says where the job stands, and then waits";
  const int64_t before = ticks_of(watch.pid());
  EXPECT_EQ(home.rftctl({"wait", std::to_string(job), "--timeout", "2"}).exit_code, cli::kTimedOut);
  EXPECT_LE(ticks_of(watch.pid()) - before, 2);
}

}  // namespace
}  // namespace rft::integration
