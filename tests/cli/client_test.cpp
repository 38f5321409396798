#include "cli/client.h"

#include <gtest/gtest.h>

#include <thread>

#include "cli/exit_code.h"
#include "protocol/reply.h"
#include "protocol/request.h"
#include "support/temp_dir.h"

namespace rft::cli {
namespace {

// The daemon's end of the control socket, answering by hand.
class Daemon {
 public:
  explicit Daemon(const TempDir& home) : socket_(zmq_, zmq::socket_type::router) {
    std::filesystem::create_directories(home / "run");
    socket_.set(zmq::sockopt::rcvtimeo, 10'000);
    socket_.set(zmq::sockopt::linger, 1000);
    socket_.bind("ipc://" + (home / "run/control.sock").string());
  }
  protocol::Request receive() {
    zmq::message_t body;
    if (!socket_.recv(client_) || !socket_.recv(body)) throw std::runtime_error("no request");
    return protocol::decode_request(body.to_string_view());
  }
  void answer(const protocol::Reply& reply) {
    socket_.send(zmq::buffer(client_.to_string()), zmq::send_flags::sndmore);
    socket_.send(zmq::buffer(encode(reply)));
  }

 private:
  zmq::context_t zmq_;
  zmq::socket_t socket_;
  zmq::message_t client_;
};

TEST(Client, WithoutADaemonItSaysAtOnceHowToStartOne) {
  const TempDir home;
  Client client(home.path());
  try {
    client.ask("ping");
    FAIL() << "reached a daemon that is not there";
  } catch (const Unreachable& error) {
    EXPECT_NE(std::string(error.what()).find("rftd --home " + home.path().string()), std::string::npos);
    EXPECT_EQ(exit_code_of(error), kUnreachable);
  }
}

TEST(Client, GivesTheResultOrThrowsTheDaemonsError) {
  const TempDir home;
  Daemon daemon(home);
  std::thread answers([&] {
    daemon.answer(protocol::success(daemon.receive().id, {{"a", 1}}));
    daemon.answer(protocol::failure(daemon.receive().id, Error(ErrorCode::not_found, "no job 9", "job")));
  });
  Client client(home.path());
  EXPECT_EQ(client.ask("ping")["a"], 1);
  try {
    client.ask("show", {{"job", 9}});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(exit_code_of(error), kNotFound);
    EXPECT_EQ(error.field(), "job");
  }
  answers.join();
}

TEST(Client, AfterARestartOfTheDaemonItSendsTheSameRequestAgain) {
  const TempDir home;
  auto first = std::make_unique<Daemon>(home);
  std::thread answers([&] {
    const protocol::Request request = first->receive();
    first.reset();  // without an answer
    Daemon second(home);
    const protocol::Request again = second.receive();
    EXPECT_EQ(again.id, request.id);
    EXPECT_EQ(again.verb, "pause");
    EXPECT_EQ(again.args, request.args);
    second.answer(protocol::success(again.id, {{"done", true}}));
  });
  Client client(home.path());
  EXPECT_EQ(client.ask("pause", {{"job", 1}})["done"], true);
  answers.join();
}

TEST(Client, AnswersToOtherRequestsAreNotItsOwn) {
  const TempDir home;
  Daemon daemon(home);
  std::thread answers([&] {
    const std::string id = daemon.receive().id;
    daemon.answer(protocol::success("another", {{"a", 1}}));
    daemon.answer(protocol::success(id, {{"a", 2}}));
  });
  EXPECT_EQ(Client(home.path()).ask("ping")["a"], 2);
  answers.join();
}

TEST(Client, GivesUpWhenTheTimeIsOver) {
  const TempDir home;
  Daemon daemon(home);
  EXPECT_THROW(Client(home.path()).ask("ping", Json::object(), std::chrono::milliseconds(200)), Unreachable);
}

}  // namespace
}  // namespace rft::cli
