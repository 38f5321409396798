// Binaries that were built against the headers of plugin ABI 1.0 (abi-1.0/README.md) in today's host.
#include "plugins/adapter.h"
#include "plugins/scorer_host.h"
#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

TEST(Abi10, AScorerGetsAndAnswersEverything) {
  const TemporaryFolder folder;
  ScorerOptions options = options_for(fs::path(RFT_ABI_DIR) / "abi-1-0-scorer.so", folder);
  options.options = {{"a", 1}};
  ScorerHost scorer(options);
  EXPECT_EQ(scorer.name(), "abi-1-0-scorer");
  const auto requests = requests_of({"three", "!"});
  const auto results = scorer.score(requests);
  EXPECT_EQ(results[0].score, 5.0);
  EXPECT_EQ(results[0].reason, "p");
  EXPECT_FALSE(results[0].valid);
  const std::vector<std::pair<std::string, double>> parts = {
      {"eos", 14}, {"tokens", 304}, {"seconds", 0.5}, {"options", 7}};
  EXPECT_EQ(results[0].sub_scores, parts);
  EXPECT_EQ(results[1].error, "it begins with !");
  const std::map<std::string, double> numbers = {{"sum", 5}, {"failed", 1}, {"bytes", 6}};
  EXPECT_EQ(scorer.summarize(requests, results), numbers);
  expect_plugin_error(PluginFailure::threw, {"an empty completion"},
                      [&] { scorer.score(requests_of({""})); });
  EXPECT_NE(read_file(options.stderr_file).find("a batch was scored"), std::string::npos);
}

TEST(Abi10, AnAdapterConvertsAndRefuses) {
  const TemporaryFolder folder;
  const AdapterOptions options = options_for(fs::path(RFT_ABI_DIR) / "abi-1-0-adapter.so", folder);
  const fs::path out = folder.path() / "out.jsonl";
  convert_dataset(options, folder.write("in.jsonl", "{\"a\":1}\n{\"messages\":0}\n"), out);
  EXPECT_EQ(read_file(out),
            "{\"prompt\":\"{\\\"a\\\":1}\",\"output\":\"{\\\"a\\\":1}\",\"record\":{\"a\":1}}\n"
            "{\"prompt\":[{\"role\":\"user\",\"content\":\"hi\"}],\"output\":\"{\\\"messages\\\":0}\","
            "\"record\":{\"messages\":0}}\n");
  EXPECT_THROW(convert_dataset(options, folder.write("in.jsonl", "{\"refuse\":1}\n"), out), Error);
}

}  // namespace
}  // namespace rft::plugins
