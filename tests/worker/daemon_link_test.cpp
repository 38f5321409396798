#include "worker/daemon_link.h"

#include <gtest/gtest.h>

#include <future>

#include "base/error.h"
#include "support/temp_dir.h"
#include "support/worker_listener.h"

namespace rft::worker {
namespace {

struct Fixture : ::testing::Test {
  TempDir dir;
  std::filesystem::path socket = dir / "worker.sock";
  WorkerListener daemon{socket};
  std::promise<void> stopped;
  std::unique_ptr<DaemonLink> link;

  void connect() {
    auto hello = std::async(std::launch::async, [&] {
      const Json message = daemon.accept();
      daemon.write({{"type", "welcome"}});
      return message;
    });
    link = std::make_unique<DaemonLink>(socket, protocol::WorkerHello{17, 2, "token", 1},
                                        [&] { stopped.set_value(); });
    EXPECT_EQ(hello.get()["job"], 17);
  }
};
using DaemonLinkTest = Fixture;

TEST_F(DaemonLinkTest, DeliversInOrderAndFlushesAtTheEnd) {
  connect();
  for (int i = 0; i < 100; ++i) link->send({{"type", "metrics"}, {"i", i}});
  link.reset();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(daemon.read().value()["i"], i);
}

TEST_F(DaemonLinkTest, ACommandStops) {
  connect();
  daemon.write({{"type", "pause"}});
  EXPECT_EQ(stopped.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(DaemonLinkTest, ACommandRightBehindTheWelcomeStops) {
  auto greeting = std::async(std::launch::async, [&] {
    daemon.accept();
    daemon.write_together({Json{{"type", "welcome"}}, Json{{"type", "pause"}}});
  });
  link = std::make_unique<DaemonLink>(socket, protocol::WorkerHello{}, [&] { stopped.set_value(); });
  EXPECT_EQ(stopped.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(DaemonLinkTest, TheDaemonsEndStops) {
  connect();
  daemon.close();
  EXPECT_EQ(stopped.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  link->send({{"type", "metrics"}});  // goes nowhere, and harms nothing
}

TEST_F(DaemonLinkTest, ADaemonThatDoesNotReadNeverHoldsTheWorker) {
  connect();
  const std::string big(1000, 'x');
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20000; ++i) link->send({{"type", "progress"}, {"text", big}});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  daemon.close();
}

TEST_F(DaemonLinkTest, ARefusalIsAnErrorWithItsReason) {
  auto refusal = std::async(std::launch::async, [&] {
    daemon.accept();
    daemon.write({{"type", "refused"}, {"reason", "attempt 2 is over"}});
  });
  try {
    DaemonLink refused(socket, {}, [] {});
    FAIL() << "connected all the same";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::conflict);
    EXPECT_NE(std::string(error.what()).find("attempt 2 is over"), std::string::npos);
  }
}

TEST(DaemonLink, NobodyThereIsAnError) {
  const TempDir dir;
  EXPECT_THROW(DaemonLink(dir / "missing.sock", {}, [] {}), Error);
}

}  // namespace
}  // namespace rft::worker
