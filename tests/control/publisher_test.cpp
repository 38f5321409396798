#include "control/publisher.h"

#include <gtest/gtest.h>

#include "protocol/event.h"
#include "support/served_home.h"

namespace rft::control {
namespace {

using Verdict = protocol::GapDetector::Verdict;

class Subscriber {
 public:
  Subscriber(const std::string& endpoint, const std::string& prefix, int queue = 1000)
      : socket_(zmq_, zmq::socket_type::sub) {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::rcvhwm, queue);
    socket_.set(zmq::sockopt::rcvtimeo, 20'000);
    socket_.set(zmq::sockopt::subscribe, prefix);
    socket_.connect(endpoint);
  }
  // The next event; nothing after `timeout_ms`.
  std::optional<protocol::Event> next(int timeout_ms = 20'000) {
    socket_.set(zmq::sockopt::rcvtimeo, timeout_ms);
    zmq::message_t topic, body;
    if (!socket_.recv(topic) || !topic.more() || !socket_.recv(body)) return std::nullopt;
    return protocol::decode_event(body.to_string_view());
  }

 private:
  zmq::context_t zmq_;
  zmq::socket_t socket_;
};

// Publishes until the subscription has arrived, so that what follows is received.
void wait_for_subscription(ServedHome& home, Subscriber& subscriber, const std::string& topic) {
  for (int i = 0; i < 200; ++i) {
    home.on_loop([&] { home.control().publish(topic, {{"warm", true}}); });
    if (subscriber.next(50)) return;
  }
  FAIL() << "the subscription never arrived";
}

TEST(Publisher, NumbersTheEventsOfEachTopic) {
  ServedHome home;
  Subscriber subscriber(home.endpoint("events.sock"), "test.");
  wait_for_subscription(home, subscriber, "test.warm");
  home.on_loop([&] {
    for (int i = 0; i < 3; ++i) {
      home.control().publish("test.a", {{"i", i}});
      home.control().publish("test.b", {{"i", i}});
    }
  });
  std::string boot;
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    for (const char* topic : {"test.a", "test.b"}) {
      auto event = subscriber.next();
      while (event && event->topic == "test.warm") event = subscriber.next();
      ASSERT_TRUE(event);
      EXPECT_EQ(event->topic, topic);
      EXPECT_EQ(event->seq, seq);
      EXPECT_EQ(event->data["i"], seq - 1);
      if (boot.empty()) boot = event->boot;
      EXPECT_EQ(event->boot, boot);
    }
  }
}

TEST(Publisher, ASubscriberThatDoesNotReadDelaysNothingAndSeesItsLoss) {
  ServedHome home;
  Subscriber slow(home.endpoint("events.sock"), "test.", /*queue=*/10);
  wait_for_subscription(home, slow, "test.a");
  constexpr uint64_t kEvents = 50'000;
  const Json data = {{"text", std::string(500, 'x')}};
  const auto start = std::chrono::steady_clock::now();
  home.on_loop([&] {
    for (uint64_t i = 0; i < kEvents; ++i) home.control().publish("test.a", data);
  });
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));

  // What it does get is in order, and the hole shows once there is something after it.
  uint64_t last = 0, received = 0;
  bool gap = false;
  while (const auto event = slow.next(500)) {
    gap = gap || (last > 0 && event->seq > last + 1);
    EXPECT_GT(event->seq, last);
    last = event->seq;
    ++received;
  }
  home.on_loop([&] { home.control().publish("test.a", data); });
  const auto after = slow.next();
  ASSERT_TRUE(after);
  EXPECT_LT(received, kEvents);
  EXPECT_TRUE(gap || after->seq > last + 1);
}

TEST(Publisher, AnEventThatIsTooLargeIsPublishedWithoutItsData) {
  ServedHome home;
  Subscriber subscriber(home.endpoint("events.sock"), "test.");
  wait_for_subscription(home, subscriber, "test.warm");
  home.on_loop([&] { home.control().publish("test.big", {{"text", std::string(kMaxEventBytes, 'x')}}); });
  auto event = subscriber.next();
  while (event && event->topic == "test.warm") event = subscriber.next();
  ASSERT_TRUE(event);
  EXPECT_FALSE(event->data.contains("text"));
  EXPECT_GT(event->data["omitted_bytes"], kMaxEventBytes);
}

TEST(Publisher, SubscribeThenSnapshotLosesNothing) {
  ServedHome home;
  RawClient client(home.endpoint("control.sock"));
  for (int round = 0; round < 5; ++round) {
    const Json job =
        client.ask("submit", {{"folder", home.make_folder("job", "finish").string()}}).result["job"];
    const std::string prefix = protocol::job_topic(job["id"], "");
    Subscriber subscriber(home.endpoint("events.sock"), prefix);
    // At any moment of the job's life: the snapshot's state, or a later event, tells its end.
    std::this_thread::sleep_for(std::chrono::milliseconds(30 * round));
    protocol::GapDetector gaps;
    Json snapshot = client.ask("snapshot", {{"job", job["id"]}}).result;
    gaps.covered_by(snapshot);
    std::string state = snapshot["jobs"][0]["state"];
    while (state != "succeeded") {
      const auto event = subscriber.next(5000);
      // Events that were published while the connection was being made are lost, and show as a gap.
      if (!event || gaps.offer(*event) == Verdict::gap) {
        snapshot = client.ask("snapshot", {{"job", job["id"]}}).result;
        gaps.covered_by(snapshot);
        const std::string now = snapshot["jobs"][0]["state"];
        ASSERT_TRUE(event || now == "succeeded") << "silent in state " << now;
        state = now;
      } else if (event->topic == prefix + "status") {
        state = event->data["state"];
      }
    }
  }
}

TEST(Publisher, AnotherBootIsSeenAfterARestart) {
  ServedHome home;
  const Json before = RawClient(home.endpoint("control.sock")).ask("ping").result;
  home.stop();
  home.start();
  const Json after = RawClient(home.endpoint("control.sock")).ask("ping").result;
  EXPECT_NE(before["boot"], after["boot"]);
}

}  // namespace
}  // namespace rft::control
