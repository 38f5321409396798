#include "engine/ppo/selection.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace rft::engine {
namespace {

using enum Standing;
using Standings = std::vector<Standing>;

Episode episode(int64_t prompt, double score, bool cut = false) {
  Episode episode;
  episode.prompt_index = prompt;
  episode.score = score;
  episode.cut = cut;
  return episode;
}

PpoOptions options_of(AdvantageEstimator estimator, MissingEos missing_eos = MissingEos::score) {
  PpoOptions options;
  options.advantage_estimator = estimator;
  options.missing_eos = missing_eos;
  return options;
}

TEST(Selection, GroupsFollowThePromptsAndOneAloneIsLeftOut) {
  const std::vector<Episode> episodes{episode(7, 1), episode(3, 0), episode(7, 0)};
  const Selection grouped = select_episodes(episodes, options_of(AdvantageEstimator::grpo));
  EXPECT_EQ(grouped.groups, (std::vector<int64_t>{0, 1, 0}));
  EXPECT_EQ(grouped.standing, (Standings{counts, alone, counts}));
  const Selection single = select_episodes(episodes, options_of(AdvantageEstimator::gae));
  EXPECT_EQ(single.standing, (Standings{counts, counts, counts}));
}

TEST(Selection, AMaskedEpisodeIsNoMemberOfItsGroup) {
  const std::vector<Episode> episodes{episode(1, 1), episode(1, 0, true), episode(1, 1), episode(2, 1),
                                      episode(2, 0, true)};
  const Selection selection =
      select_episodes(episodes, options_of(AdvantageEstimator::rloo, MissingEos::mask));
  EXPECT_EQ(selection.standing, (Standings{counts, masked, counts, alone, masked}));
  EXPECT_EQ(selection.groups[0], selection.groups[2]);
  EXPECT_NE(selection.groups[0], selection.groups[1]);
  EXPECT_EQ(selection.num_equal_groups, 1) << "the two that are left score the same";
}

TEST(Selection, EqualGroupsAreCountedByWhatIsPaid) {
  const std::vector<Episode> episodes{episode(1, 1), episode(1, 1, true), episode(2, 0.3), episode(2, 0.3),
                                      episode(3, 1), episode(4, 1),       episode(4, 0)};
  EXPECT_EQ(select_episodes(episodes, options_of(AdvantageEstimator::grpo)).num_equal_groups, 2)
      << "one alone is no group of equals";
  const Selection punished =
      select_episodes(episodes, options_of(AdvantageEstimator::grpo, MissingEos::penalty));
  EXPECT_EQ(punished.num_equal_groups, 1);
  EXPECT_EQ(punished.scores[1].item<float>(), 0) << "1 less eos_penalty";
}

TEST(Selection, EqualGroupsAreLeftOutWhereAskedUnlessThereIsNothingElse) {
  std::vector<Episode> episodes{episode(1, 1), episode(1, 1), episode(2, 0.3), episode(2, 0.4),
                                episode(3, 1)};
  PpoOptions options = options_of(AdvantageEstimator::grpo);
  EXPECT_EQ(select_episodes(episodes, options).standing, (Standings{counts, counts, counts, counts, alone}));
  options.drop_equal_groups = true;
  const Selection selection = select_episodes(episodes, options);
  EXPECT_EQ(selection.standing, (Standings{equal, equal, counts, counts, alone}));
  EXPECT_EQ(selection.num_equal_groups, 1);
  EXPECT_EQ(selection.num_uneven_groups, 1);
  episodes[3].score = 0.3;
  EXPECT_EQ(select_episodes(episodes, options).standing, (Standings{counts, counts, counts, counts, alone}));
}

}  // namespace
}  // namespace rft::engine
