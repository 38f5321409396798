#include <gmock/gmock.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "plugins/isolation.h"
#include "plugins/shipped_scorer.h"
#include "support/endpoint.h"

namespace rft::plugins {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKey = "Bearer sk-0123456789abcdef";

const std::vector<ScoreRequest> kOne = {request("a", "a")};
const std::vector<ScoreRequest> kTwo = {request("a", "a"), request("b", "b")};
const std::vector<ScoreRequest> kThree = {request("a", "a"), request("b", "a"), request("a", "a")};

class Http : public ::testing::Test {
 protected:
  ScorerOptions options(const std::string& path, Json more = Json::object()) {
    ScorerOptions options = options_for(fs::path(RFT_SHIPPED_PLUGINS_DIR) / "http.so", folder_);
    more["url"] = endpoint_.at(path);
    if (!more.contains("retry_delay_s")) more["retry_delay_s"] = 0.001;
    options.options = more;
    options.allow_network = true;
    return options;
  }
  // With a secret that is for what lies below `path`.
  ScorerOptions with_secret(ScorerOptions options, const std::string& path) {
    const Json secrets = {{"test", {{"url", endpoint_.at(path)}, {"headers", {{"Authorization", kKey}}}}}};
    options.secrets_file = folder_.write("secrets.json", secrets.dump());
    fs::permissions(options.secrets_file, fs::perms::owner_read | fs::perms::owner_write);
    options.secrets = {"test"};
    return options;
  }
  // What is wrong with the first episode of a batch of one.
  static std::string error_of(const ScorerOptions& options) {
    const ScoreResult result = ScorerHost(options).score(kOne)[0];
    EXPECT_FALSE(result.score);
    return result.error;
  }

  Endpoint endpoint_;
  TemporaryFolder folder_;
};

TEST_F(Http, PostsEpisodesAndTakesWhatIsAnsweredForEach) {
  ScorerHost scorer(options("/score", {{"episodes_per_request", 2}, {"concurrency", 1}}));
  const auto results = scorer.score(kThree);
  EXPECT_EQ(results[0].score, 1.0);
  EXPECT_EQ(results[1].score, 0.0);
  EXPECT_EQ(results[2].reason, "request 2");
  EXPECT_EQ(results[1].sub_scores.at(0), (std::pair<std::string, double>("place", 1)));
  const auto requests = endpoint_.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].headers["Content-Type"], "application/json");
  EXPECT_EQ(Json::parse(requests[0].body)[1],
            Json::parse(R"({"index": 1, "of": 2, "prompt": "", "completion": "b",
    "record": {"output": "a"}, "finish_reason": "eos", "prompt_tokens": 0, "completion_tokens": 0, "generation_s": 0.0})"));
}

TEST_F(Http, TriesAgainWhatMayPass) {
  EXPECT_EQ(ScorerHost(options("/failing/2")).score(kOne)[0].score, 1.0);
  EXPECT_EQ(endpoint_.requests().size(), 3u);
}

TEST_F(Http, WaitsAsLongAsItIsAskedTo) {
  ScorerHost scorer(options("/busy/1/1", {{"episodes_per_request", 1}, {"concurrency", 1}}));
  EXPECT_EQ(scorer.score(kThree)[2].score, 1.0);
  const auto requests = endpoint_.requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_GE(requests[1].at - requests[0].at, 1.0);
  EXPECT_THAT(error_of(options("/busy/9/9223372036854775807")), HasSubstr("asks to wait for 1e+06 s"));
  EXPECT_THAT(
      error_of(options("/busy/9/60")),
      AllOf(HasSubstr("HTTP 429: slow down"), HasSubstr("asks to wait for 60 s"), HasSubstr("timeout_s")));
}

TEST_F(Http, SaysWhatIsWrong) {
  const std::tuple<const char*, Json, std::vector<std::string>> cases[] = {
      {"/failing/9", {{"retries", 1}}, {"/failing/9: HTTP 500: no: ", "(after 2 tries)"}},
      {"/failing/9/401", {}, {"HTTP 401: no: "}},
      {"/failing/9/404", {}, {"HTTP 404"}},
      {"/cut", {{"retries", 1}}, {"(after 2 tries)"}},
      {"/gone", {{"retries", 0}}, {"Empty reply"}},
      {"/hang", {{"retries", 1}, {"request_timeout_s", 0.1}}, {"timed out after ", "(after 2 tries)"}},
      {"/huge", {}, {"more than 16 MiB"}},
      {"/elsewhere", {}, {"HTTP 302: it redirects to ", "/score, which is not followed; give that address"}},
      {"/answers/garbage", {}, {"what is no JSON; a JSON array of 1 is wanted", "<html>"}},
      {"/answers/object", {}, {"a JSON object; a JSON array of 1"}},
      {"/answers/few", {}, {"an array of 0; a JSON array of 1"}},
  };
  for (const auto& [path, more, parts] : cases)
    for (const std::string error = error_of(options(path, more)); const auto& part : parts)
      EXPECT_THAT(error, HasSubstr(part)) << path;
  ScorerOptions nobody = options("/score", {{"retries", 0}});
  nobody.options["url"] = "http://127.0.0.1:1/score";
  EXPECT_THAT(error_of(nobody), HasSubstr("http://127.0.0.1:1/score: Failed to connect"));
  const auto words = ScorerHost(options("/answers/words")).score(kTwo);
  EXPECT_EQ(words[0].error, "the endpoint answered no score: \"good\"");
  EXPECT_EQ(words[1].error, "no idea");
}

// Its process answers, late as the endpoint is: one that hung would be put into quarantine.
TEST_F(Http, GivesUpBeforeItsBatchMustBeDone) {
  ScorerOptions slow = options("/hang");
  slow.timeout_s = 1;
  EXPECT_THAT(error_of(slow), AllOf(HasSubstr("a batch may take, 1 s; [scorer] timeout_s gives it longer"),
                                    HasSubstr("the last try: ")));
}

TEST_F(Http, AsksNoMoreOftenAndNoMoreAtOnceThanItMay) {
  ScorerHost paced(options("/score", {{"episodes_per_request", 1}, {"requests_per_second", 20}}));
  const auto start = std::chrono::steady_clock::now();
  paced.score(kThree);
  EXPECT_GE(seconds_since(start), 0.099);
  ASSERT_EQ(endpoint_.requests().size(), 3u);
  ScorerOptions one_of_two = options("/score", {{"episodes_per_request", 1}, {"requests_per_second", 20}});
  one_of_two.num_hosts = 2;
  const auto begin = std::chrono::steady_clock::now();
  ScorerHost(one_of_two).score(kThree);
  EXPECT_GE(seconds_since(begin), 0.199) << "half of the rate is the other's";
  const std::vector<ScoreRequest> many(20, request("a", "a"));
  ScorerHost(options("/failing/10", {{"episodes_per_request", 1}, {"concurrency", 1}})).score(many);
  for (const auto& asked : endpoint_.requests())
    if (asked.path == "/failing/10") {
      EXPECT_EQ(asked.at_once, 1);
    }
}

TEST_F(Http, SendsASecretToItsOwnAddressAlone) {
  for (const char* place : {"/failing", "/failing/", "/failing/9/401"})
    EXPECT_THAT(error_of(with_secret(options("/failing/9/401"), place)), HasSubstr("HTTP 401")) << place;
  for (const auto& request : endpoint_.requests()) EXPECT_EQ(request.headers["Authorization"], kKey);
  for (const char* place : {"/fail", "/failing/9/40", "/failing/9/401/more", "/other"})
    expect_plugin_error(PluginFailure::threw,
                        {"the secret \"test\" is for http", place, "and not sent to http"},
                        [&] { ScorerHost(with_secret(options("/failing/9/401"), place)); });
  ScorerOptions other_port = with_secret(options("/score"), "/score");
  other_port.options["url"] = "http://127.0.0.1:1/score";
  EXPECT_THROW(ScorerHost{other_port}, PluginError);
  // Nor where it is led to: the address's own secret stands in for its `url`.
  ScorerOptions sole = with_secret(options("/elsewhere"), "/elsewhere");
  sole.options.erase("url");
  EXPECT_THAT(error_of(sole), HasSubstr("HTTP 302"));
  EXPECT_EQ(endpoint_.requests().back().path, "/elsewhere");
}

TEST_F(Http, LetsNobodySeeASecret) {
  EXPECT_THAT(error_of(with_secret(options("/failing/9/401"), "/")),
              AllOf(HasSubstr("'Authorization': '***'"), Not(HasSubstr("sk-01"))));
  ScorerHost scorer(with_secret(options("/answers/echo"), "/"));
  EXPECT_THAT(scorer.score(kOne)[0].reason,
              AllOf(HasSubstr("'Authorization': '***'"), Not(HasSubstr("sk-01"))));
  for (const SeenProcess& process : all_processes()) {
    if (process.pid == ::getpid()) continue;
    EXPECT_THAT(process.command_line, Not(HasSubstr("sk-0123456789")));
    std::ifstream environment("/proc/" + std::to_string(process.pid) + "/environ");
    const std::string text(std::istreambuf_iterator<char>(environment), {});
    EXPECT_THAT(text, Not(HasSubstr("sk-0123456789"))) << process.command_line;
  }
}

TEST_F(Http, RefusesWhatItCannotDo) {
  const auto refused = [&](const ScorerOptions& options, const std::vector<std::string>& parts) {
    expect_plugin_error(PluginFailure::threw, parts, [&] { ScorerHost{options}; });
  };
  ScorerOptions bad = options("/score");
  bad.options.erase("url");
  refused(bad, {"the option `url` is needed"});
  for (const char* url : {"ftp://127.0.0.1/", "scores.example", "file:///etc/passwd"}) {
    bad.options["url"] = url;
    refused(bad, {"\"url\" is no address that begins with http:// or https://"});
  }
  bad.options["url"] = "http://me:key@127.0.0.1/";
  refused(bad, {"has a user's name in it"});
  bad.options = {{"url", endpoint_.at("/score")}, {"concurrency", 0}};
  refused(bad, {"\"concurrency\" must be from 1"});
  if (!available_isolation().system_call_filter) return;
  ScorerOptions alone = options("/score");
  alone.allow_network = false;
  refused(alone, {"it has no network; the job must ask for it, [scorer] network = true"});
}

}  // namespace
}  // namespace rft::plugins
