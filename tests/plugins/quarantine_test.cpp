#include "plugins/quarantine.h"

#include "plugins/support.h"

namespace rft::plugins {
namespace {

using namespace testing;

TEST(Quarantine, KeepsTheInputOfWhatCrashedByItsDigestUntilReleased) {
  const TemporaryFolder folder;
  ScorerOptions options = hostile_options(folder, "score", "segv");
  options.failed_input = folder.path() / "failed-input.jsonl";
  options.name = "it's hostile";
  ScorerHost scorer(options);
  EXPECT_THROW(scorer.score(requests_of({"one", "three"})), PluginError);

  const std::string digest(64, 'a');
  Quarantine(folder.path() / "q").add({.digest = digest, .failure = "crashed", .job = 7}, options, "scorer");
  const Quarantine quarantine(folder.path() / "q");
  const auto report = quarantine.find(digest);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->job, 7);
  EXPECT_NE(read_file(report->input).find(R"("completion":"three")"), std::string::npos);
  EXPECT_NE(report->command.find("< '" + report->input.string() + "'"), std::string::npos);
  EXPECT_EQ(quarantine.named("it's hostile").size(), 1u);
  EXPECT_EQ(quarantine.named("aaaaaaaa").size(), 1u);
  EXPECT_TRUE(quarantine.named("aaaa").empty());
  quarantine.release(digest);
  EXPECT_FALSE(quarantine.find(digest));
  EXPECT_TRUE(quarantine.all().empty());
}

TEST(Quarantine, IsForFaultsOfTheProcessAlone) {
  EXPECT_TRUE(calls_for_quarantine("crashed"));
  EXPECT_TRUE(calls_for_quarantine("timed_out"));
  EXPECT_TRUE(calls_for_quarantine("out_of_memory"));
  for (const char* failure : {"threw", "not_finite", "unwritten", "protocol", ""})
    EXPECT_FALSE(calls_for_quarantine(failure)) << failure;
  const TemporaryFolder folder;
  const Quarantine quarantine(folder.path() / "q");
  quarantine.add({.digest = std::string(64, 'a'), .failure = "threw", .job = 7}, {}, "scorer");
  EXPECT_TRUE(quarantine.all().empty());
}

}  // namespace
}  // namespace rft::plugins
