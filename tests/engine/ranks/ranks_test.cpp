#include "engine/ranks.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>

#include "engine/progress_sink.h"
#include "engine/support/run_ranks.h"

namespace rft::engine {
namespace {

using testing::outcomes_of_ranks;
using testing::run_ranks;
using testing::text_of;

// Longer than a slot, and no multiple of it.
constexpr int64_t kManyFloats = 3 * (1 << 18) + 12345;

// Numbers whose sum depends on the order of the additions.
at::Tensor numbers_of(int64_t rank, int64_t count) {
  return at::arange(count, at::kFloat)
      .add(static_cast<double>(rank))
      .mul(1.7 + static_cast<double>(rank))
      .sin();
}

TEST(Ranks, AddUpInTheOrderOfTheRanksOnEachOfThem) {
  at::set_num_threads(1);
  const at::Tensor expected =
      numbers_of(0, kManyFloats) + numbers_of(1, kManyFloats) + numbers_of(2, kManyFloats);
  run_ranks(3, [&](Ranks& ranks) {
    for (int64_t repetition = 0; repetition < 3; ++repetition) {
      const at::Tensor own = numbers_of(ranks.rank(), kManyFloats);
      ranks.sum(own);
      EXPECT_TRUE(own.equal(expected)) << "rank " << ranks.rank();
    }
    EXPECT_EQ(ranks.sum(0.5 + static_cast<double>(ranks.rank())), 4.5);
    const at::Tensor largest =
        at::tensor({static_cast<double>(ranks.rank()), -1.0 - ranks.rank()}, at::kDouble);
    ranks.maximum(largest);
    EXPECT_TRUE(largest.equal(at::tensor({2.0, -1.0}, at::kDouble)));
  });
}

TEST(Ranks, AddZerosForAGradientThatARankDoesNotHave) {
  run_ranks(2, [](Ranks& ranks) {
    at::Tensor both = at::zeros({2, 3}), of_one = at::zeros({4}), of_none = at::zeros({5});
    both.mutable_grad() = at::full({3, 2}, 1.0 + ranks.rank()).t();  // as backward may leave it
    if (ranks.rank() == 1) of_one.mutable_grad() = at::full({4}, 7.0);
    ranks.sum_gradients({both, of_one, of_none});
    EXPECT_TRUE(both.grad().equal(at::full({2, 3}, 3.0)));
    EXPECT_TRUE(of_one.grad().equal(at::full({4}, 7.0)));
    EXPECT_TRUE(of_none.grad().equal(at::zeros({5})));
  });
}

TEST(Ranks, GatherBytesOfAnyLength) {
  const std::vector<std::string> said = {"", std::string(3 << 20, 'x') + "end", std::string("a\0b", 3)};
  run_ranks(3, [&](Ranks& ranks) {
    EXPECT_EQ(ranks.gather(said[ranks.rank()]), said);
    EXPECT_EQ(ranks.from_first(ranks.first() ? "plan" : "not looked at"), "plan");
    EXPECT_TRUE(ranks.any(ranks.rank() == 2));
    EXPECT_FALSE(ranks.any(false));
  });
}

TEST(Ranks, DealRowsOutSoThatEachIsOneRanks) {
  run_ranks(3, [](Ranks& ranks) {
    const std::vector<int> expected[] = {{10, 13}, {11, 14}, {12}};
    EXPECT_EQ(share_of(std::vector<int>{10, 11, 12, 13, 14}, ranks), expected[ranks.rank()]);
    EXPECT_EQ(share_of(std::vector<int>{10}, ranks).size(), ranks.first() ? 1u : 0u);
  });
}

TEST(Ranks, TellReplicasApartByASingleBit) {
  const auto thrown = outcomes_of_ranks(2, [](Ranks& ranks) {
    at::Tensor weights = at::ones({1000});
    ranks.expect_same({weights});
    if (ranks.rank() == 1) weights[17] = std::nextafter(1.0F, 2.0F);
    ranks.expect_same({weights});
  });
  for (const auto& one : thrown) EXPECT_EQ(text_of(one), "the weights of ranks 0 and 1 differ");
}

TEST(Ranks, AnInterruptionOfOneIsOneOfAll) {
  const auto thrown = outcomes_of_ranks(3, [](Ranks& ranks) {
    EXPECT_FALSE(ranks.halted());
    ranks.barrier();
    ranks.together([&] {
      if (ranks.rank() == 1) throw Interrupted();
      while (!ranks.halted()) {
      }  // the others hear of it in the middle of their work
    });
  });
  for (const auto& one : thrown) EXPECT_EQ(text_of(one), "interrupted");
}

TEST(Ranks, NoticeThatOneHasEndedWhateverTheyWaitFor) {
  const auto thrown = outcomes_of_ranks(3, [](Ranks& ranks) {
    ranks.barrier();
    if (ranks.rank() == 2) return;  // as a killed process: its sockets close
    if (ranks.rank() == 1) {        // busy all the while, as far as rank 0 can tell
      while (!ranks.halted()) {
      }
    }
    ranks.barrier();
  });
  EXPECT_EQ(text_of(thrown[0]), "rank 2 has ended");
  EXPECT_EQ(text_of(thrown[1]), "rank 0 has ended");
}

TEST(Ranks, ARankThatCannotGoOnSaysWhyToRankZero) {
  const auto thrown = outcomes_of_ranks(2, [](Ranks& ranks) {
    ranks.barrier();
    if (ranks.rank() == 1) return ranks.fail(ErrorCode::resource, "out of memory\non line 2");
    ranks.barrier();
  });
  EXPECT_EQ(text_of(thrown[0]), "rank 1: out of memory\non line 2");
  try {
    std::rethrow_exception(thrown[0]);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::resource);
  }
}

TEST(Ranks, OneAloneAnswersAtOnce) {
  Ranks& ranks = Ranks::alone();
  const at::Tensor numbers = numbers_of(0, 10);
  ranks.sum(numbers);
  EXPECT_TRUE(numbers.equal(numbers_of(0, 10)));
  at::Tensor weight = at::zeros({2});
  ranks.sum_gradients({weight});
  EXPECT_FALSE(weight.grad().defined()) << "a parameter without a gradient keeps none";
  EXPECT_EQ(ranks.gather("a"), std::vector<std::string>{"a"});
  EXPECT_FALSE(ranks.halted());
  EXPECT_THROW(ranks.together([] { throw Interrupted(); }), Interrupted);
}

}  // namespace
}  // namespace rft::engine
