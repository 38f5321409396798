#include "worker/run_state.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"

namespace rft::worker {
namespace {

namespace fs = std::filesystem;

RunState some_state() {
  RunState state;
  state.reference_frozen = true;
  state.iteration = 7;
  state.epoch_validated = 3;
  state.epochs_without_gain = 1;
  state.checkpoints = {{4, 0.75}, {0, 0.5}};
  state.results["test"]["base"] = {{"score_mean", 0.25}};
  state.watch = {.first_length = 12.5,
                 .first_entropy = 0.75,
                 .kl = {0, 0.125},
                 .epoch_score = 1.5,
                 .epoch_iterations = 2,
                 .told = {"score_gap"}};
  state.scorer = protocol::ScorerSwap{2, "strict.py", {{"bonus", 1}}, {{"", {{"digest", "def"}}}}, false};
  state.lengths = {10, 20, 30, 40};
  return state;
}

// What stands for the trainer's tensors here.
void save_tensors(const fs::path& point) { write_file_atomically(point / "tensors", "weights"); }
void load_tensors(const fs::path& point) {
  if (read_file(point / "tensors") != "weights") throw Error(ErrorCode::invalid_argument, "damaged tensors");
}

TEST(RunState, SurvivesItsJson) {
  const RunState read = run_state_from_json(to_json(some_state()));
  EXPECT_EQ(to_json(read), to_json(some_state()));
  EXPECT_EQ(read.best().iteration, 4);
  EXPECT_TRUE(read.has_result("test", "base"));
  EXPECT_FALSE(read.has_result("test", "final"));
}

TEST(RunState, FromBeforeThereWereWatchesIsStillRead) {
  Json json = to_json(some_state());
  json.erase("watch");
  EXPECT_EQ(run_state_from_json(json).watch.first_length, 0);
  EXPECT_EQ(run_state_from_json(json).iteration, 7);
}

TEST(RunState, OfAnotherVersionIsRefused) {
  Json json = to_json(some_state());
  json["v"] = 99;
  EXPECT_THROW(run_state_from_json(json), Error);
}

TEST(ResumePoints, AFreshJobStartsAtTheBeginning) {
  const TempDir dir;
  ResumePoints points(dir / "resume");
  const Restored restored = points.restore(load_tensors);
  EXPECT_EQ(restored.state.iteration, 0);
  EXPECT_TRUE(restored.damaged.empty());
}

TEST(ResumePoints, KeepsTheLastTwoAndRestoresTheNewest) {
  const TempDir dir;
  ResumePoints points(dir / "resume");
  RunState state = some_state();
  for (state.iteration = 1; state.iteration <= 3; ++state.iteration) points.write(state, save_tensors);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "resume"), fs::directory_iterator()), 2);
  EXPECT_EQ(points.restore(load_tensors).state.iteration, 3);
}

TEST(ResumePoints, ADamagedPointGivesWayToTheOneBeforeAndIsKept) {
  const TempDir dir;
  ResumePoints points(dir / "resume");
  RunState state = some_state();
  for (state.iteration = 1; state.iteration <= 2; ++state.iteration) points.write(state, save_tensors);
  write_file_atomically(dir / "resume/point-000002/tensors", "torn");
  const Restored restored = points.restore(load_tensors);
  EXPECT_EQ(restored.state.iteration, 1);
  ASSERT_EQ(restored.damaged.size(), 1u);
  EXPECT_NE(restored.damaged[0].find("damaged tensors"), std::string::npos);
  EXPECT_TRUE(fs::exists(dir / "resume/damaged-point-000002"));
  points.write(state, save_tensors);  // the next number is free
  EXPECT_EQ(points.restore(load_tensors).damaged.size(), 0u);
}

TEST(ResumePoints, NeverStartsOverWhenNoneCanBeRead) {
  const TempDir dir;
  ResumePoints points(dir / "resume");
  points.write(some_state(), save_tensors);
  write_file_atomically(dir / "resume/point-000001/state.json", "{");
  EXPECT_THROW(points.restore(load_tensors), Error);
  EXPECT_THROW(points.restore(load_tensors), Error) << "and says so again at the next attempt";
}

TEST(ResumePoints, AnInterruptedWriteLeavesThePointsAsTheyWere) {
  const TempDir dir;
  ResumePoints points(dir / "resume");
  RunState state = some_state();
  points.write(state, save_tensors);
  state.iteration = 99;
  EXPECT_THROW(points.write(state, [](const fs::path&) { throw Error(ErrorCode::io, "disk full"); }), Error);
  EXPECT_EQ(points.restore(load_tensors).state.iteration, 7);
}

}  // namespace
}  // namespace rft::worker
