#include "base/cut_text.h"

#include <gtest/gtest.h>

namespace rft {
namespace {

TEST(CutText, KeepsWhatFitsAndCutsBetweenCharacters) {
  EXPECT_EQ(cut_text("as it is", 8), "as it is");
  EXPECT_EQ(cut_text("one too long", 11), "one too …");
  EXPECT_EQ(cut_text("ääää", 7), "ää…") << "four bytes and the three of the ellipsis";
  EXPECT_EQ(cut_text("ääää", 6), "ä…") << "no half of a character";
  EXPECT_EQ(cut_text("\x80\x80\x80\x80\x80", 4), "…") << "what is no UTF-8 is cut all the same";
}

}  // namespace
}  // namespace rft
