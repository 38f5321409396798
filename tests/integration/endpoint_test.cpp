// Scorers that ask an endpoint: what the daemon's owner grants them, and where its secrets stay.
#include <gmock/gmock.h>

#include <set>

#include "integration/daemon_home.h"
#include "integration/small_job.h"
#include "support/endpoint.h"

namespace rft::integration {
namespace {

using ::testing::HasSubstr;

constexpr const char* kKey = "Bearer sk-0123456789abcdef";

class Endpoints : public ::testing::Test {
 protected:
  // A job whose scorer asks the endpoint.
  SmallJob job(const std::string& scorer, const std::string& options) const {
    return {.scorer = scorer, .scorer_options = "{ " + options + " }\nnetwork = true\nsecrets = [\"test\"]"};
  }
  int64_t drop(const std::string& name, const SmallJob& job) {
    return home_.drop(write_small_job(home_.staging(name), job));
  }
  void write_secrets(fs::perms permissions = fs::perms::owner_read | fs::perms::owner_write) {
    const Json headers = {{"Authorization", kKey}};
    const Json secrets = {{"test", {{"url", endpoint_.at("/")}, {"headers", headers}}},
                          {"model", {{"url", endpoint_.at("/v1")}, {"headers", headers}}}};
    write_text(home_.root() / "secrets.json", secrets.dump());
    fs::permissions(home_.root() / "secrets.json", permissions);
  }
  // The home's files that hold the key, by their names.
  std::vector<std::string> files_with_the_key() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(home_.root()))
      if (entry.is_regular_file() && read_file(entry.path()).find("sk-01234") != std::string::npos)
        found.push_back(entry.path().filename());
    return found;
  }

  Endpoint endpoint_;
  DaemonHome home_{kQuickRetries,
                   "network = [\"http\", \"judge\"]\n"
                   "secrets = { test = [\"http\"], model = [\"judge\"] }\n"};
};

TEST_F(Endpoints, ScoreAJobWithASecretThatNobodyElseSees) {
  home_.start();
  write_secrets();
  const int64_t id = drop("asks", job("http", "url = \"" + endpoint_.at("/score") + "\""));
  EXPECT_EQ(home_.wait(id)["state"], "succeeded") << home_.show(id).dump();
  for (const auto& request : endpoint_.requests()) EXPECT_EQ(request.headers["Authorization"], kKey);
  EXPECT_THAT(read_file(home_.job_folder(id) / "plan.toml"), HasSubstr("secrets = [\"test\"]"));

  const int64_t failed = drop("fails", job("http", "url = \"" + endpoint_.at("/failing/9999/401") + "\""));
  const Json why = home_.wait(failed);
  EXPECT_EQ(why["state"], "failed");
  EXPECT_THAT(why["reason"].get<std::string>(), HasSubstr("/failing/9999/401: HTTP 401: no: "));
  EXPECT_THAT(files_with_the_key(), ::testing::ElementsAre("secrets.json"));
  EXPECT_EQ(home_.log().find("sk-01234"), std::string::npos);
}

// What the job was admitted with has neither the network nor a secret.
TEST_F(Endpoints, ARunningJobIsRetargetedToAJudge) {
  home_.start();
  write_secrets();
  const int64_t id = drop("retargeted", {.scorer = "exact_match", .epochs = 10000});
  home_.await_iteration(id);
  const std::string options =
      R"({"model": "fair", "messages": [{"role": "user", "content": "{{sample.output_text}}|{{item.output}}"}]})";
  const auto swap = [&](const std::vector<std::string>& settings) {
    std::vector<std::string> arguments = {"scorer", "swap",      std::to_string(id),
                                          "judge",  "--options", options};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    return home_.rftctl(arguments);
  };
  EXPECT_THAT(swap({"scorer.secrets='model'"}).errors, HasSubstr("it has no network"));
  const Answer answer = swap(
      {"scorer.network=true", "scorer.secrets='model'", "scorer.timeout_s=30", "scorer.on_error='skip'"});
  ASSERT_EQ(answer.exit_code, 0) << answer.errors;
  EXPECT_EQ(answer.json["scorer_swap"]["state"], "taken");
  EXPECT_EQ(home_.rftctl({"cancel", std::to_string(id)}).exit_code, 0);
  ASSERT_FALSE(endpoint_.requests().empty());
  for (const auto& request : endpoint_.requests()) EXPECT_EQ(request.headers["Authorization"], kKey);
}

// Two hosts, and an attempt that is killed: none of them has a budget of its own, or pays twice.
TEST_F(Endpoints, AJudgesBudgetIsTheJobs) {
  home_.start();
  write_secrets();
  SmallJob judged = {.scorer = "judge",
                     .scorer_options =
                         R"({ model = "fair", max_requests = 120, messages = [{ role = "user", )"
                         R"(content = "{{sample.output_text}}|{{item.output}}" }] })"
                         "\nnetwork = true\nsecrets = [\"model\"]\nhosts = 2\nbatch_size = 4",
                     .epochs = 10000};
  const int64_t id = drop("judged", judged);
  home_.await_iteration(id);
  for (const pid_t worker : home_.worker_pids()) ::kill(worker, SIGKILL);
  const Json failed = home_.wait(id);
  EXPECT_EQ(failed["attempt"], 2) << failed.dump();
  EXPECT_THAT(failed["reason"].get<std::string>(),
              HasSubstr("the judge's budget is spent: 120 of max_requests = 120"));
  const auto requests = endpoint_.requests();
  EXPECT_LE(requests.size(), 120u);
  std::set<std::string> asked;
  for (const auto& request : requests) asked.insert(request.body);
  EXPECT_GE(asked.size() + 16, requests.size()) << "only what was asked at one time is asked twice";
}

// The judge alone has the network and the secret, whose address it asks; the other grader needs neither.
TEST_F(Endpoints, AnOpenAIGraderAsksItsModel) {
  home_.start();
  write_secrets();
  const fs::path folder = write_small_job(home_.staging("graded"), {.scorer = "grader"});
  write_text(folder / "grader.json",
             R"({"type": "multi", "name": "both", "calculate_output": "0.5 * said + 0.5 * same",
    "graders": {
      "said": {"type": "score_model", "name": "said", "model": "fair",
               "input": [{"role": "user", "content": "{{sample.output_text}}|{{item.output}}"}]},
      "same": {"type": "string_check", "name": "same", "operation": "eq", "input": "{{sample.output_text}}",
               "reference": "{{item.output}}"}}})");
  const std::string toml = read_file(folder / "job.toml");
  const std::string plugin = "plugin = \"grader\"\noptions = {}";
  const std::string grader =
      "grader = \"grader.json\"\nsecrets = [\"model\"]\noptions = { max_requests = 9999 }";
  write_text(folder / "job.toml", std::string(toml).replace(toml.find(plugin), plugin.size(), grader));
  const int64_t id = home_.drop(folder);
  EXPECT_EQ(home_.wait(id)["state"], "succeeded") << home_.show(id).dump();
  for_each_json_line(home_.job_folder(id) / "rollouts.jsonl", [](Json&& row, size_t) {
    EXPECT_EQ(row.at("sub_scores").at("said"), row.at("sub_scores").at("same")) << row;
  });
  ASSERT_FALSE(endpoint_.requests().empty());
  for (const auto& request : endpoint_.requests()) EXPECT_EQ(request.headers["Authorization"], kKey);
}

TEST_F(Endpoints, SecretsOfOthersAreRefused) {
  home_.start();
  write_secrets(fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read);
  const Json open = home_.wait(drop("open", job("http", "url = \"" + endpoint_.at("/score") + "\"")));
  EXPECT_EQ(open["state"], "rejected");
  EXPECT_THAT(open["reason"].get<std::string>(),
              HasSubstr("chmod 600 " + (home_.root() / "secrets.json").string()));
  EXPECT_TRUE(endpoint_.requests().empty());
}

}  // namespace
}  // namespace rft::integration
