#include "control/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>

#include "support/served_home.h"

namespace rft::control {
namespace {

using ::testing::HasSubstr;

TEST(Server, AnswersDealersAndReqs) {
  ServedHome home;
  for (const auto type : {zmq::socket_type::dealer, zmq::socket_type::req}) {
    RawClient client(home.endpoint("control.sock"), type);
    const protocol::Reply reply = client.ask("ping", Json::object(), "first");
    ASSERT_TRUE(reply.ok());
    EXPECT_EQ(reply.id, "first");
    EXPECT_EQ(reply.result["protocol"], 1);
    EXPECT_EQ(reply.result["home"], home.root().string());
  }
}

TEST(Server, ManyRequestsInOneGoAreAllAnswered) {
  ServedHome home;
  RawClient client(home.endpoint("control.sock"));
  constexpr int kRequests = 500;  // more than are taken in one turn of the loop
  for (int i = 0; i < kRequests; ++i) client.send(std::to_string(i), "ping");
  for (int i = 0; i < kRequests; ++i) EXPECT_EQ(client.receive().id, std::to_string(i));
}

TEST(Server, NamesTheNearestVerbAndTheMissingArgument) {
  ServedHome home;
  RawClient client(home.endpoint("control.sock"));
  const protocol::Reply unknown = client.ask("pasue");
  EXPECT_EQ(unknown.error->code(), ErrorCode::unsupported);
  EXPECT_THAT(unknown.error->what(), HasSubstr("did you mean \"pause\"?"));
  const protocol::Reply missing = client.ask("show");
  EXPECT_EQ(missing.error->code(), ErrorCode::invalid_argument);
  EXPECT_EQ(missing.error->field(), "job");
  EXPECT_EQ(client.ask("show", {{"job", 99}}).error->code(), ErrorCode::not_found);
  EXPECT_EQ(client.ask("show", {{"job", {1, 2}}}).error->field(), "job");
  EXPECT_EQ(client.ask("ls", {{"states", {"runing"}}}).error->field(), "states");
  EXPECT_EQ(client.ask("submit", {{"folder", "relative"}}).error->field(), "folder");
}

TEST(Server, SocketsAreForThoseWhoMayDropFolders) {
  ServedHome home;
  const auto expect_mode = [&](mode_t mode) {
    for (const char* name : {"control.sock", "events.sock"}) {
      struct stat status {};
      ASSERT_EQ(::stat((home.root() / "run" / name).c_str(), &status), 0);
      EXPECT_EQ(status.st_mode & 0777, mode) << name;
    }
  };
  expect_mode(0600);
  home.stop();
  std::filesystem::permissions(home.root() / "incoming", std::filesystem::perms::group_write,
                               std::filesystem::perm_options::add);
  home.start();
  expect_mode(0660);
  if (::geteuid() != 0) return;
  home.stop();  // a socket has the daemon's group, which this is not
  ASSERT_EQ(::chown((home.root() / "incoming").c_str(), -1, ::getegid() + 1), 0);
  home.start();
  expect_mode(0600);
}

TEST(Server, OversizedRequestsAreRefusedOrCutOff) {
  ServedHome home;
  RawClient client(home.endpoint("control.sock"));
  client.send(std::string(protocol::kMaxRequestBytes + 1, 'x'));
  EXPECT_EQ(client.receive().error->code(), ErrorCode::invalid_argument);
  client.send(std::string(3 * protocol::kMaxRequestBytes, 'x'));
  client.socket().set(zmq::sockopt::rcvtimeo, 300);
  zmq::message_t nothing;
  EXPECT_FALSE(client.socket().recv(nothing));
  EXPECT_TRUE(RawClient(home.endpoint("control.sock")).ask("ping").ok());
}

TEST(Server, MoreFramesThanARequestHasAreRefused) {
  ServedHome home;
  RawClient client(home.endpoint("control.sock"));
  for (int i = 0; i < 4; ++i)
    client.socket().send(zmq::buffer("{}", 2), i < 3 ? zmq::send_flags::sndmore : zmq::send_flags::none);
  EXPECT_EQ(client.receive().error->code(), ErrorCode::invalid_argument);
  EXPECT_TRUE(client.ask("ping").ok());
}

// One random change of a byte, a cut, a doubled piece or another value.
std::string mutated(std::string text, std::mt19937& random) {
  const auto below = [&](size_t limit) {
    return std::uniform_int_distribution<size_t>(0, limit - 1)(random);
  };
  for (size_t changes = 1 + below(4); changes > 0 && !text.empty(); --changes) {
    const size_t at = below(text.size());
    switch (below(4)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.resize(at);
        break;
      case 2:
        text.insert(at, text.substr(at, below(16)));
        break;
      case 3:
        text.replace(
            at, 1,
            std::vector<std::string>{"{}", "[[[[", "-1", "1e999", "null", "\\u0000", "\"\""}[below(7)]);
        break;
    }
  }
  return text;
}

TEST(Server, MalformedRequestsGetAnErrorAndChangeNothing) {
  ServedHome home;
  RawClient client(home.endpoint("control.sock"));
  const int64_t job =
      client.ask("submit", {{"folder", home.make_folder("one", "run").string()}}).result["job"]["id"];
  ASSERT_FALSE(client.wait_for_state(job, "running").is_null());

  // No mutation of these reaches the job: it is called otherwise.
  const std::vector<std::string> seeds = {
      protocol::encode(protocol::Request{"id", "pause", {{"job", "another-name"}}}),
      protocol::encode(protocol::Request{"id", "logs", {{"job", "one"}, {"offset", 12}, {"limit", 3}}}),
      protocol::encode(protocol::Request{"id", "ls", {{"states", {"running"}}, {"limit", 10}}}),
      protocol::encode(
          protocol::Request{"id", "submit", {{"folder", (home.root() / "nowhere/at/all").string()}}})};
  std::mt19937 random(7);
  for (int i = 0; i < 1500; ++i) {
    client.send(mutated(seeds[static_cast<size_t>(i) % seeds.size()], random));
    ASSERT_NO_THROW(client.receive()) << "request " << i;
  }
  const Json jobs = client.ask("ls").result["jobs"];
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0]["state"], "running");
}

TEST(Server, AMutationAnswersAfterItsEffect) {
  ServedHome home;
  RawClient client(home.endpoint("control.sock"));
  const int64_t job =
      client.ask("submit", {{"folder", home.make_folder("one", "linger").string()}}).result["job"]["id"];
  ASSERT_FALSE(client.wait_for_state(job, "running").is_null());
  const protocol::Reply paused = client.ask("pause", {{"job", "one"}});
  ASSERT_TRUE(paused.ok()) << paused.error->what();
  EXPECT_EQ(paused.result["job"]["state"], "paused");
  EXPECT_EQ(client.ask("resume", {{"job", job}}).result["job"]["state"], "queued");
  EXPECT_EQ(client.ask("cancel", {{"job", job}}).result["job"]["state"], "cancelled");
}

TEST(Server, OneIdHasOneEffectAlsoAcrossARestart) {
  ServedHome home;
  const Json args = {{"folder", home.make_folder("one", "finish").string()}};
  Json first;
  {
    RawClient client(home.endpoint("control.sock"));
    client.send("the-id", "submit", args);
    client.send("the-id", "submit", args);
    first = client.receive().result;
    EXPECT_EQ(client.receive().result["job"]["id"], first["job"]["id"]);
    EXPECT_EQ(client.ask("submit", args, "the-id").result["job"]["id"], first["job"]["id"]);
  }
  home.stop();
  home.start();
  RawClient client(home.endpoint("control.sock"));
  EXPECT_EQ(client.ask("submit", args, "the-id").result["job"]["id"], first["job"]["id"]);
  EXPECT_EQ(client.ask("ls").result["jobs"].size(), 1u);
  EXPECT_NE(client.ask("submit", args, "another-id").result["job"]["id"], first["job"]["id"]);
}

TEST(Server, AnIdUnderWayIsRefusedForAnotherRequest) {
  ServedHome home;
  RawClient client(home.endpoint("control.sock"));
  const int64_t job =
      client.ask("submit", {{"folder", home.make_folder("one", "linger").string()}}).result["job"]["id"];
  ASSERT_FALSE(client.wait_for_state(job, "running").is_null());
  client.send("the-id", "pause", {{"job", job}});  // takes a second
  client.send("the-id", "cancel", {{"job", job}});
  const protocol::Reply refused = client.receive();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error->field(), "id");
  EXPECT_EQ(client.receive().result["job"]["state"], "paused");
}

TEST(Server, ReadsFilesPageByPage) {
  ServedHome home;
  RawClient client(home.endpoint("control.sock"));
  const Json job = client.ask("submit", {{"folder", home.make_folder("one", "run").string()}}).result["job"];
  ASSERT_FALSE(client.wait_for_state(job["id"], "running").is_null());
  const std::filesystem::path folder =
      client.ask("show", {{"job", 1}}).result["job"]["folder"].get<std::string>();
  std::ofstream(folder / "metrics.jsonl") << "{\"iteration\":1}\n{\"iteration\":2}\n{\"iter";
  const Json page = client.ask("metrics", {{"job", 1}, {"limit", 1}}).result;
  EXPECT_EQ(page["rows"], Json::parse("[{\"iteration\":1}]"));
  const Json rest = client.ask("metrics", {{"job", 1}, {"offset", page["next_offset"]}}).result;
  EXPECT_EQ(rest["rows"], Json::parse("[{\"iteration\":2}]"));
  EXPECT_LT(rest["next_offset"], rest["size"]);  // the last line is still being written
  EXPECT_EQ(client.ask("rollouts", {{"job", 1}, {"of", "validation"}}).result["size"], 0);
  EXPECT_EQ(client.ask("rollouts", {{"job", 1}, {"of", "test"}}).error->field(), "of");
}

TEST(Server, TellsModelsAndPlugins) {
  ServedHome home;
  write_text(home.root() / "models/broken/config.json", "{");
  RawClient client(home.endpoint("control.sock"));
  const Json models = client.ask("models").result["models"];
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0]["name"], "broken");
  EXPECT_TRUE(models[0].contains("error"));
  EXPECT_EQ(models[1]["name"], "tiny");
  EXPECT_EQ(models[1]["architecture"], "LlamaForCausalLM");
  const Json plugins = client.ask("plugins").result["plugins"];
  EXPECT_TRUE(std::ranges::any_of(plugins, [](const Json& row) { return row["name"] == "exact_match"; }));
  EXPECT_GT(client.ask("doctor").result["disk"]["free_bytes"], 0);
}

}  // namespace
}  // namespace rft::control
