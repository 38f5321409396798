#include "cli/job_feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/temp_dir.h"

namespace rft::cli {
namespace {

TEST(JobFeed, BeginsAlsoWhenEventsComeBeforeItKnowsThatItIsConnected) {
  const TempDir home;
  std::filesystem::create_directories(home / "run");
  zmq::context_t zmq;
  zmq::socket_t control(zmq, zmq::socket_type::router);
  control.bind("ipc://" + (home / "run/control.sock").string());
  zmq::socket_t events(zmq, zmq::socket_type::pub);
  events.bind("ipc://" + (home / "run/events.sock").string());
  std::atomic<bool> over = false;
  std::thread busy_job([&] {
    while (!over) {
      events.send(zmq::buffer(protocol::job_topic(7, "log")), zmq::send_flags::sndmore);
      events.send(zmq::buffer(std::string("{}")));
    }
  });
  // More of them than the machine has processors: some are held up between the two.
  std::vector<std::thread> watchers;
  for (int i = 0; i < 32; ++i)
    watchers.emplace_back([&] {
      Client client(home.path());
      for (int count = 0; count < 40; ++count) JobFeed(client, 7);
    });
  for (auto& watcher : watchers) watcher.join();
  over = true;
  busy_job.join();
}

}  // namespace
}  // namespace rft::cli
