#include "worker/scoring_round.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <set>

#include "base/error.h"

namespace rft::worker {
namespace {

using plugins::PluginError;
using plugins::PluginFailure;
using plugins::ScoreRequest;
using plugins::ScoreResult;

// What the hosts of one test have in common.
struct Seen {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::vector<std::string>> batches;
  std::set<std::thread::id> threads;
  size_t num_under_way = 0;
  bool open = true;  // else each host waits with its batch
};

// An episode's score is its number; number 13 has none, 66 fails its batch.
class NumberScorer : public plugins::Scorer {
 public:
  explicit NumberScorer(Seen& seen) : seen_(seen), thread_(std::this_thread::get_id()) {}
  ~NumberScorer() override { EXPECT_EQ(thread_, std::this_thread::get_id()) << "its process dies with it"; }

  std::vector<ScoreResult> score(std::span<const ScoreRequest> requests) override {
    std::vector<std::string> batch;
    for (const ScoreRequest& request : requests) batch.push_back(request.completion);
    {
      std::unique_lock lock(seen_.mutex);
      seen_.batches.insert(batch);
      seen_.threads.insert(std::this_thread::get_id());
      ++seen_.num_under_way;
      seen_.changed.notify_all();
      seen_.changed.wait(lock, [&] { return seen_.open; });
      --seen_.num_under_way;
    }
    std::vector<ScoreResult> results;
    for (const std::string& number : batch) {
      if (number == "66") throw PluginError(PluginFailure::crashed, "died of 66");
      results.push_back(number == "13" ? ScoreResult{.error = "unlucky"}
                                       : ScoreResult{.score = std::stod(number)});
    }
    return results;
  }
  PluginError failure_of(const ScoreRequest& request, const ScoreResult& result) const override {
    return {result.failure, request.completion + ": " + result.error};
  }
  std::optional<std::map<std::string, double>> summarize(std::span<const ScoreRequest>,
                                                         std::span<const ScoreResult>) override {
    return std::nullopt;
  }

 private:
  Seen& seen_;
  std::thread::id thread_;
};

class Sink : public engine::ProgressSink {
 public:
  void advance(std::string_view, int64_t now_done, int64_t, std::string_view) override { done = now_done; }
  bool stop_requested() const override { return stop; }
  int64_t done = 0;
  bool stop = false;
};

class Round : public ::testing::Test {
 protected:
  std::unique_ptr<ScorerPool> pool_of(int64_t num_hosts) {
    return std::make_unique<ScorerPool>([this] { return std::make_unique<NumberScorer>(seen_); }, num_hosts);
  }
  static std::vector<ScoredCompletion> numbers(size_t count) {
    std::vector<ScoredCompletion> episodes(count);
    for (size_t i = 0; i < count; ++i) episodes[i].request.completion = std::to_string(i);
    return episodes;
  }
  static std::vector<size_t> prompts(size_t count) {
    std::vector<size_t> all(count);
    std::iota(all.begin(), all.end(), size_t{0});
    return all;
  }

  Seen seen_;
};

TEST_F(Round, AsksTheSameBatchesWhateverTheHostsAndTheOrderInWhichPromptsEnd) {
  std::set<std::vector<std::string>> expected;
  for (const int64_t num_hosts : {1, 3}) {
    for (const size_t stride : {1, 5, 7}) {  // the prompts end in other orders
      seen_.batches.clear();
      const auto pool = pool_of(num_hosts);
      auto episodes = numbers(12 * 4);
      ScoringRound round(*pool, episodes, 4, prompts(12), 8);
      for (size_t i = 0; i < 12; ++i) round.ready(i * stride % 12);
      Sink sink;
      round.await(sink);
      EXPECT_EQ(sink.done, 48);
      for (size_t i = 0; i < episodes.size(); ++i) {
        EXPECT_EQ(episodes[i].request.completion, std::to_string(i));
        if (i != 13) {
          EXPECT_EQ(episodes[i].result.score, static_cast<double>(i));
        }
      }
      if (expected.empty()) expected = seen_.batches;
      EXPECT_EQ(seen_.batches, expected);
      EXPECT_STREQ(round.first_failure().value().what(), "13: unlucky");
    }
  }
  EXPECT_EQ(expected.size(), 6U);
  for (const auto& batch : expected) EXPECT_EQ(batch.size(), 8U) << "two whole prompts each";
}

TEST_F(Round, KeepsAPromptsCompletionsTogetherUpTo128) {
  const auto pool = pool_of(1);
  auto episodes = numbers(2 * 150);
  for (auto& episode : episodes) episode.request.completion = "1";
  ScoringRound round(*pool, episodes, 150, prompts(2), 16);
  round.ready(0);
  round.ready(1);
  Sink sink;
  round.await(sink);
  std::set<size_t> sizes;
  for (const auto& batch : seen_.batches) sizes.insert(batch.size());
  EXPECT_EQ(sizes, (std::set<size_t>{22, 128}));
}

TEST_F(Round, HandsOverWhatIsWholeAndNoMoreThanTheHostsCanTake) {
  seen_.open = false;
  const auto pool = pool_of(2);
  auto episodes = numbers(40);
  ScoringRound round(*pool, episodes, 1, prompts(40), 4);
  for (size_t prompt = 0; prompt < 36; ++prompt) round.ready(prompt);  // does not wait
  {
    std::unique_lock lock(seen_.mutex);
    seen_.changed.wait(lock, [&] { return seen_.num_under_way == 2; });
  }
  round.ready(36);
  size_t handed_over = 0;
  for (const auto& episode : episodes) handed_over += episode.request.completion.empty();
  EXPECT_LE(handed_over, 4U * 4) << "two at work and two that wait";
  EXPECT_GE(handed_over, 2U * 4);
  {
    const std::lock_guard lock(seen_.mutex);
    seen_.open = true;
  }
  seen_.changed.notify_all();
  for (size_t prompt = 37; prompt < 40; ++prompt) round.ready(prompt);
  Sink sink;
  round.await(sink);
  EXPECT_EQ(seen_.threads.size(), 2U);
}

TEST_F(Round, ABatchThatFailsLeavesItsEpisodesAndTheFirstInOrderCounts) {
  const auto pool = pool_of(3);
  auto episodes = numbers(80);
  ScoringRound round(*pool, episodes, 1, prompts(80), 4);
  for (size_t prompt = 80; prompt-- > 0;) round.ready(prompt);  // 66 comes out before 13
  Sink sink;
  round.await(sink);
  EXPECT_STREQ(round.first_failure().value().what(), "13: unlucky");
  for (size_t i = 64; i < 68; ++i) EXPECT_FALSE(episodes[i].result.score) << i;
  EXPECT_EQ(episodes[68].result.score, 68.0);
  EXPECT_EQ(episodes[66].request.completion, "66") << "it keeps what was asked";
}

TEST_F(Round, IsLeftWhenTheSinkAsksToStop) {
  seen_.open = false;
  const auto pool = pool_of(1);
  auto episodes = numbers(4);
  ScoringRound round(*pool, episodes, 1, prompts(4), 4);
  for (size_t prompt = 0; prompt < 4; ++prompt) round.ready(prompt);
  Sink sink;
  sink.stop = true;
  EXPECT_THROW(round.await(sink), engine::Interrupted);
  {
    const std::lock_guard lock(seen_.mutex);
    seen_.open = true;
  }
  seen_.changed.notify_all();
  // What the hosts were at comes into no later round.
  auto others = numbers(8);
  ScoringRound next(*pool, others, 1, prompts(8), 8);
  for (size_t prompt = 0; prompt < 8; ++prompt) next.ready(prompt);
  sink.stop = false;
  next.await(sink);
  EXPECT_EQ(others[7].result.score, 7.0);
}

TEST(ScorerPool, FailsWithWhatItsFirstHostFailsWith) {
  EXPECT_THROW(ScorerPool(
                   []() -> std::unique_ptr<plugins::Scorer> {
                     throw PluginError(PluginFailure::not_loadable, "no such file");
                   },
                   3),
               PluginError);
}

}  // namespace
}  // namespace rft::worker
