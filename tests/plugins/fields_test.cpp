#include <gtest/gtest.h>

#include <random>

#include "rft/json.hpp"

namespace rft {
namespace {

TEST(Fields, ReadsTheTopLevel) {
  const Fields fields(R"( {"text": "a\n\"\u00e9\ud83d\ude00\\", "n": -1.5e2, "yes": true, "none": null,
                          "list": ["x", "\u0041"], "deep": {"text": [1, {"n": "}"}]}, "text2": ""} )");
  EXPECT_EQ(fields.text("text"), "a\n\"é😀\\");
  EXPECT_EQ(fields.text("text2"), "");
  EXPECT_EQ(fields.number("n"), -150);
  EXPECT_EQ(fields.boolean("yes"), true);
  EXPECT_EQ(fields.texts("list"), (std::vector<std::string>{"x", "A"}));
  EXPECT_EQ(fields.raw("deep"), R"({"text": [1, {"n": "}"}]})");
  EXPECT_TRUE(fields.table("deep")->has("text"));
  EXPECT_FALSE(fields.table("none"));
  EXPECT_FALSE(fields.text("none"));
  EXPECT_FALSE(fields.text("absent"));
  EXPECT_TRUE(fields.has("none"));
  EXPECT_EQ(fields.all().size(), 7u);
  EXPECT_TRUE(Fields("{}").all().empty());
}

TEST(Fields, NamesTheKeyOfAWrongType) {
  const Fields fields(R"({"a": 1, "b": "x", "c": [1]})");
  EXPECT_THROW(fields.text("a"), std::invalid_argument);
  EXPECT_THROW(fields.number("b"), std::invalid_argument);
  EXPECT_THROW(fields.boolean("a"), std::invalid_argument);
  EXPECT_THROW(fields.texts("c"), std::invalid_argument);
  EXPECT_THROW(fields.table("c"), std::invalid_argument);
  EXPECT_THROW(fields.allow_only({"a", "b"}), std::invalid_argument);
  EXPECT_NO_THROW(fields.allow_only({"a", "b", "c"}));
}

TEST(Fields, RefusesWhatIsNoObject) {
  for (const char* text : {"", "{", "[]", "1", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1} x",
                           "{\"a\":\"\\q\"}", "{\"a\":\"\\u00g0\"}", "{\"a\":[1}", "{\"a\":hello}", "{a:1}"})
    EXPECT_THROW(Fields{text}, std::invalid_argument) << text;
  EXPECT_THROW(Fields("{\"a\":" + std::string(100'000, '[') + "}"), std::invalid_argument);
}

TEST(Fields, SurvivesDamagedText) {
  const std::string whole =
      R"({"text": "a\n\u00e9\ud83d\ude00", "n": -1.5e2, "list": ["x", {"y": [null, true]}]})";
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = whole.substr(0, random() % (whole.size() + 1));
    if (!text.empty()) text[random() % text.size()] = static_cast<char>(random());
    try {
      const Fields fields(text);
      for (const auto& [name, value] : fields.all()) fields.text(name);
    } catch (const std::invalid_argument&) {
      continue;  // refused, which is all that is asked of it
    }
  }
}

}  // namespace
}  // namespace rft
