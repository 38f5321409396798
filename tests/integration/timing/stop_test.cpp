// The end of the daemon by SIGTERM while a job runs.
#include <gmock/gmock.h>

#include "integration/daemon_home.h"
#include "integration/small_job.h"

namespace rft::integration {
namespace {

using ::testing::HasSubstr;

TEST(StoppedDaemon, EndsWithinTwoSecondsAndItsJobGoesOnAtTheNextStart) {
  DaemonHome home;
  home.start();
  const int64_t id = home.drop(write_small_job(home.staging("words"), {.epochs = 6}));
  home.await_iteration(id);
  home.rftd().signal(SIGTERM);
  const auto status = home.rftd().wait(2000);
  ASSERT_TRUE(status) << "it runs on after two seconds";
  EXPECT_EQ(status->exit_code, 0);

  home.start();
  const Json job = home.wait(id);
  EXPECT_EQ(job["state"], "succeeded") << job.dump();
  EXPECT_EQ(job["attempt"], 2);
  EXPECT_EQ(job["num_failures"], 0);
  EXPECT_THAT(read_file(home.job_folder(id) / "log.txt"), HasSubstr("resumed after iteration"));
}

}  // namespace
}  // namespace rft::integration
