#include "cli/watch_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rft::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = JobUpdate::Kind;

const Style kPiped;

Json job_in(const std::string& state) {
  return {{"id", 17}, {"name", "fraud"}, {"state", state}, {"attempt", 1}};
}

JobUpdate event(const std::string& topic, const Json& data) { return {Kind::event, topic, data}; }

Json metrics(int64_t iteration, double score) {
  return {{"iteration", iteration}, {"epoch", 1}, {"values", {{"rollout/score_mean", score}}}};
}

Json validation(const std::string& stage, int64_t iteration, double value, bool best) {
  return {{"stage", stage},       {"split", "validation"}, {"iteration", iteration},
          {"metric", "f1_macro"}, {"value", value},        {"best", best}};
}

TEST(WatchView, WritesALineForEachThingThatHappens) {
  WatchView view(kPiped);
  EXPECT_THAT(view.update({Kind::snapshot, "", job_in("queued")}), ElementsAre("job 17 fraud: queued"));
  EXPECT_THAT(view.update(event("status", job_in("running"))), ElementsAre("job 17 fraud: running"));
  EXPECT_THAT(view.update(event("status", job_in("running"))), IsEmpty());
  EXPECT_THAT(view.update(event("progress", {{"phase", "rollout"}, {"num_iterations", 40}})), IsEmpty());
  EXPECT_THAT(view.update(event("metrics", metrics(3, 0.5))), ElementsAre("iteration 3/40  score 0.500"));
  EXPECT_THAT(view.update(event("validation", validation("epoch", 3, 0.75, true))),
              ElementsAre("validation (epoch): f1_macro 0.7500, the best so far"));
  Json waited = metrics(4, 0.5), hardly_waited = metrics(5, 0.5);
  waited["values"]["time/score_wait_s"] = 1.25;
  hardly_waited["values"]["time/score_wait_s"] = 0.001;
  EXPECT_THAT(view.update(event("metrics", waited)),
              ElementsAre("iteration 4/40  score 0.500  scorer wait 1.25 s"));
  EXPECT_THAT(view.update(event("metrics", hardly_waited)), ElementsAre("iteration 5/40  score 0.500"));
  // Of the exported model, which is the best by its nature.
  EXPECT_THAT(view.update(event("validation", validation("final", 3, 0.75, true))),
              ElementsAre("validation (final): f1_macro 0.7500"));
  EXPECT_THAT(view.update(event("log", {{"level", "info"}, {"message", "hello"}})), IsEmpty());
  EXPECT_THAT(view.update(event("log", {{"level", "warning"}, {"message", "bad\nnews"}})),
              ElementsAre("warning: bad\\nnews"));
}

TEST(WatchView, ChartsThePresentScorersFiguresAlone) {
  WatchView view(kPiped);
  Json of_the_old = metrics(1, 9.0);
  view.update(event("metrics", of_the_old));
  view.update(event("metrics", metrics(2, 9.5)));
  Json rescored = validation("epoch", 2, 0.25, true), first = metrics(3, 0.5), second = metrics(4, 0.75);
  for (Json* scored : {&rescored, &first, &second}) (*scored)["scorer_swaps"] = 1;
  view.update(event("validation", rescored));
  EXPECT_THAT(view.update(event("scorer", {{"scorer", "strict.py"},
                                           {"options", {{"days", 21}}},
                                           {"before", "mild.py"},
                                           {"taken", true},
                                           {"iteration", 2}})),
              ElementsAre("scorer strict.py {\"days\":21} in the place of mild.py after iteration 2"));
  view.update(event("metrics", first));
  view.update(event("metrics", second));
  EXPECT_THAT(view.picture(), Contains("score of the rollouts, by iteration (now 0.750)"));
  EXPECT_THAT(view.picture(), ::testing::Not(Contains(HasSubstr("9.5"))));
}

TEST(WatchView, WarningsStayInThePictureWhileTheLogGoesBy) {
  WatchView view(kPiped);
  Json job = job_in("running");
  job["warnings"] = {"score_gap: too large"};
  view.update({Kind::snapshot, "", job});
  view.update(event("log", {{"level", "warning"}, {"message", "length_growth: completions grow"}}));
  for (int i = 0; i < 10; ++i) view.update(event("log", {{"level", "info"}, {"message", "going on"}}));
  EXPECT_THAT(view.picture(), Contains("warning: score_gap: too large"));
  EXPECT_THAT(view.picture(), Contains("warning: length_growth: completions grow"));
}

TEST(WatchView, SaysOnceThatTheDaemonHasGoneAndThatItIsBack) {
  WatchView view(kPiped);
  view.update({Kind::snapshot, "", job_in("running")});
  EXPECT_THAT(view.update({Kind::lost, "", nullptr}), ElementsAre(HasSubstr("waiting for it to come back")));
  EXPECT_THAT(view.picture(), Contains(HasSubstr("the daemon has gone")));
  EXPECT_THAT(view.update({Kind::lost, "", nullptr}), IsEmpty());
  EXPECT_THAT(view.update({Kind::snapshot, "", job_in("running")}), ElementsAre("the daemon is back"));
}

TEST(WatchView, PictureShowsPhaseRateRemainingTimeScoresAndValidation) {
  WatchView view(kPiped);
  view.add_history(
      Json::parse(R"([{"iteration":1,"rollout/score_mean":0.1},{"iteration":1,"validation/f1":0.3}])"));
  Json job = job_in("running");
  job["validation"] = {{"base/validation", validation("base", 0, 0.29, false)}};
  view.update({Kind::snapshot, "", job});
  view.update(event("metrics", metrics(2, 0.6)));
  view.update(event("validation", validation("epoch", 2, 0.875, true)));
  view.update(event("progress", {{"phase", "rollout"},
                                 {"done", 64},
                                 {"total", 128},
                                 {"unit", "episodes"},
                                 {"elapsed_s", 2.0},
                                 {"iteration", 3},
                                 {"num_iterations", 4},
                                 {"epoch", 2},
                                 {"num_epochs", 2},
                                 {"eta_s", 250}}));
  const auto lines = view.picture();
  EXPECT_THAT(lines, Contains(HasSubstr("3/4, epoch 2/2, 4m10s left")));
  EXPECT_THAT(lines, Contains(HasSubstr("64/128 episodes, 32/s")));
  EXPECT_THAT(lines, Contains(HasSubstr("by iteration (now 0.600)")));
  EXPECT_THAT(lines, Contains(HasSubstr("   0.600 ┤")));
  EXPECT_THAT(lines,
              Contains("validation f1_macro: base 0.290, last epoch 0.875, best 0.875 (iteration 2)  ▁█"));
}

TEST(WatchView, PictureFitsAWindowOfAnyWidthAndKeepsTheFiguresInNarrowOnes) {
  WatchView view({.terminal = true, .colour = true, .width = 100});
  Json job = job_in("running");
  job["validation"] = {{"base/validation", validation("base", 0, 0.29, false)},
                       {"epoch/validation", validation("epoch", 2, 0.875, true)}};
  job["warnings"] = {std::string(200, 'w')};
  view.update({Kind::snapshot, "", job});
  for (int iteration = 1; iteration < 200; ++iteration) {
    view.update(event("metrics", metrics(iteration, 0.5 + iteration)));
    view.update(event("validation", validation("epoch", iteration, 1.0, true)));
  }
  view.update(event("log", {{"level", "info"}, {"message", std::string(200, 'l')}}));
  view.update(event("progress", {{"phase", "rollout"},
                                 {"done", 1000},
                                 {"total", 1280},
                                 {"unit", "episodes"},
                                 {"elapsed_s", 2.0},
                                 {"iteration", 38},
                                 {"num_iterations", 480},
                                 {"epoch", 5},
                                 {"num_epochs", 6},
                                 {"eta_s", 250}}));
  for (const int width : {120, 100, 60, 30, 5}) {
    view.set_width(width);
    for (const std::string& line : view.picture())
      EXPECT_LE(display_width(line), static_cast<size_t>(width)) << line;
  }
  view.set_width(60);
  EXPECT_THAT(view.picture(), Contains(HasSubstr("38/480, epoch 5/6, 4m10s left")));
}

TEST(WatchView, OddEventsAreSurvived) {
  WatchView view(kPiped);
  view.update({Kind::snapshot, "", Json::parse(R"({"id":"x","state":7,"validation":[],"progress":3})")});
  view.update(event("metrics", {{"omitted_bytes", 99999}}));
  view.update(event("validation", nullptr));
  view.update(event("progress", {{"done", "many"}, {"total", 0}}));
  view.update(event("from_the_future", {{"a", 1}}));
  EXPECT_FALSE(view.picture().empty());
}

}  // namespace
}  // namespace rft::cli
