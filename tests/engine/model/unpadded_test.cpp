#include "engine/model/unpadded.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace rft::engine {
namespace {

std::vector<int64_t> numbers_of(const at::Tensor& x) {
  return {x.const_data_ptr<int64_t>(), x.const_data_ptr<int64_t>() + x.numel()};
}

TEST(Unpadded, IsOfEachRowWhatTheAskedPositionsSee) {
  // Of four rows of five tokens the first is asked about its third token, the last about its second and
  // first.
  const Unpadded found = without_padding(at::tensor({16, 2, 15}, at::kLong), 4, 5);
  EXPECT_EQ(numbers_of(found.tokens), (std::vector<int64_t>{0, 1, 2, 15, 16}));
  EXPECT_EQ(numbers_of(found.places), (std::vector<int64_t>{0, 1, 2, 0, 1}));
  EXPECT_EQ(numbers_of(found.positions), (std::vector<int64_t>{4, 2, 3}));
  EXPECT_EQ(found.counts, (std::vector<int64_t>{3, 2}));
}

}  // namespace
}  // namespace rft::engine
