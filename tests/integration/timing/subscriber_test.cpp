// A subscriber that has stopped reading costs the job nothing.
#include "integration/daemon_home.h"
#include "integration/small_job.h"

namespace rft::integration {
namespace {

double seconds_of_a_job(const DaemonHome& home, const std::string& name) {
  const int64_t id = home.drop(write_small_job(home.staging(name), {.epochs = 3}));
  home.await_state(id, "running");
  const auto begin = Clock::now();
  EXPECT_EQ(home.wait(id)["state"], "succeeded");
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

TEST(SubscriberThatDoesNotRead, DoesNotSlowTheJob) {
  DaemonHome home;
  home.start();
  const double alone_s = seconds_of_a_job(home, "alone");

  // Subscribed to everything, with room for one message, and never read.
  zmq::context_t zmq;
  std::vector<cli::Connection> deaf;
  for (int count = 0; count < 4; ++count) {
    deaf.emplace_back(zmq, zmq::socket_type::sub, cli::socket_path(home.root(), "events.sock"));
    deaf.back().socket().set(zmq::sockopt::rcvhwm, 1);
    deaf.back().socket().set(zmq::sockopt::subscribe, "");
    ASSERT_EQ(deaf.back().wait(patience_ends()), cli::Connection::Event::connected);
  }
  const double watched_s = seconds_of_a_job(home, "watched");
  RecordProperty("alone_s", std::to_string(alone_s));
  RecordProperty("watched_s", std::to_string(watched_s));
  EXPECT_LT(watched_s, 1.5 * alone_s + 1) << "alone it takes " << alone_s << " s";
  for (auto& subscriber : deaf)
    EXPECT_EQ(subscriber.wait(patience_ends()), cli::Connection::Event::readable) << "it was a subscriber";
}

}  // namespace
}  // namespace rft::integration
