#include "engine/model/token_memory.h"

#include <gtest/gtest.h>

#include "engine/support/tiny_model.h"

namespace rft::engine {
namespace {

TEST(MicroBatchTokens, LeaveRoomForLargeModelsAndFollowWhatIsAsked) {
  ModelConfig config = tiny_config();
  EXPECT_EQ(micro_batch_tokens(config, {}, 0), 8192);
  EXPECT_EQ(micro_batch_tokens(config, {}, 77), 77);
  config.hidden_size = 4096;
  config.intermediate_size = 14336;
  config.num_layers = 32;
  EXPECT_EQ(micro_batch_tokens(config, {}, 0), 512);
}

TEST(MicroBatchTokens, FitTheBudgetOfActivations) {
  ModelConfig config = tiny_config();
  config.hidden_size = 1024;
  config.intermediate_size = 4096;
  config.num_layers = 12;
  for (const ComputeMode mode : {ComputeMode{}, ComputeMode{.bfloat16 = true}}) {
    const int64_t tokens = micro_batch_tokens(config, mode, 0);
    EXPECT_LT(tokens, 8192);
    const auto taken = [&](int64_t count) {
      return activation_bytes(config, mode, {count, 1}) + slope_bytes(config, mode, {count, 1});
    };
    EXPECT_LE(taken(tokens), int64_t{2} << 30);
    EXPECT_GT(taken(tokens + 1), int64_t{2} << 30);
  }
  EXPECT_GT(micro_batch_tokens(config, {.checkpointing = true}, 0), micro_batch_tokens(config, {}, 0));
}

}  // namespace
}  // namespace rft::engine
