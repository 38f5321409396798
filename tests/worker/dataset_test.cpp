#include "worker/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "support/temp_dir.h"
#include "support/write_text.h"
#include "text/train_tokenizer.h"

namespace rft::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kRecords =
    "{\"prompt\": \"p1\\n\", \"output\": \"o1\"}\n{\"prompt\": \"p2\\n\", \"output\": \"o2\"}\n"
    "{\"prompt\": \"p3\\n\", \"output\": \"o3\"}\n{\"prompt\": \"p3\\n\", \"output\": \"o3\"}\n"
    "{\"prompt\": \"p4\\n\"}\n";

class ShotsInPrompts : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> texts = {"p1 o1 p2 o2"};
    text::train_bpe(texts, {.vocab_size = 280, .eos_token = "<|endoftext|>"}, dir_.path());
    tokenizer_ = text::Tokenizer::load(dir_.path());
    write_text(dir_ / "train.jsonl", kRecords);
    write_text(dir_ / "chat_template.jinja",
               "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
               "{% if add_generation_prompt %}<assistant>{% endif %}");
    chat_template_ = text::ChatTemplate::load(dir_.path());
  }
  std::vector<Shot> shots(int64_t count, uint64_t seed = 0) {
    return choose_shots(dir_ / "train.jsonl", count, seed);
  }
  std::string prompt_of(const Json& prompt, std::vector<Shot> shots, bool chat,
                        const std::string& system = "") {
    const PromptFormat format(*tokenizer_, chat ? &*chat_template_ : nullptr, system, std::move(shots));
    return format.apply({{"prompt", prompt}}).prompt;
  }

  TempDir dir_;
  std::optional<text::Tokenizer> tokenizer_;
  std::optional<text::ChatTemplate> chat_template_;
};

TEST_F(ShotsInPrompts, AreRecordsWithAnOutputChosenByTheSeedNoTwoAlike) {
  EXPECT_TRUE(shots(0).empty());
  std::set<std::string> firsts;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<Shot> chosen = shots(2, seed);
    std::set<std::string> prompts;
    for (const Shot& shot : chosen) prompts.insert(shot.prompt.get<std::string>());
    EXPECT_THAT(prompts, ElementsAre("p1\n", "p2\n", "p3\n"));
    firsts.insert(chosen.front().prompt.get<std::string>());
    EXPECT_EQ(chosen.front().prompt, shots(2, seed).front().prompt);
  }
  EXPECT_EQ(firsts.size(), 3u);
}

TEST_F(ShotsInPrompts, TooFewRecordsAreRefusedWithTheirNumber) {
  try {
    shots(3);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("shots = 3 needs 4 records that have an output and differ"));
    EXPECT_THAT(error.what(), HasSubstr("there are 3"));
  }
}

TEST_F(ShotsInPrompts, StandBeforeATextWithAnEmptyLineAfterEach) {
  const std::vector<Shot> two = {{"a\n", "1"}, {"b\n", "2"}, {"c\n", "3"}};
  EXPECT_EQ(prompt_of("q\n", two, false), "a\n1\n\nb\n2\n\nq\n");
  EXPECT_EQ(prompt_of("a\n", two, false), "b\n2\n\nc\n3\n\na\n") << "never its own answer";
  EXPECT_EQ(prompt_of("q\n", {}, false), "q\n");
}

TEST_F(ShotsInPrompts, AreTurnsBetweenTheSystemMessageAndThePrompt) {
  const std::vector<Shot> one = {{"a", "1"}, {"b", "2"}};
  EXPECT_EQ(prompt_of("q", one, true, "be brief"), "<system>be brief<user>a<assistant>1<user>q<assistant>");
  EXPECT_EQ(prompt_of("a", one, true), "<user>b<assistant>2<user>a<assistant>");
  const Json system = {{"role", "system"}, {"content", "own"}}, user = {{"role", "user"}, {"content", "x"}};
  const std::vector<Shot> messages = {{Json::array({system, user}), "1"}, {"b", "2"}};
  EXPECT_EQ(prompt_of(Json::array({system, {{"role", "user"}, {"content", "q"}}}), messages, true, "job's"),
            "<system>own<user>x<assistant>1<user>q<assistant>");
}

TEST_F(ShotsInPrompts, MessagesNeedAChatTemplate) {
  const Json messages = Json::array({{{"role", "user"}, {"content", "x"}}});
  EXPECT_THROW(prompt_of(messages, {}, false), Error);
  EXPECT_THROW(prompt_of("q", {{messages, "1"}, {"b", "2"}}, false), Error);
}

TEST_F(ShotsInPrompts, APromptWithATokenThatTheModelLacksIsAnErrorWithItsLine) {
  const PromptFormat format(*tokenizer_, nullptr, "", {});
  int64_t largest = 0;
  for (const Example& example : load_examples(dir_ / "train.jsonl", format, 100, 280))
    largest = std::max(largest, std::ranges::max(example.prompt_ids));
  EXPECT_EQ(load_examples(dir_ / "train.jsonl", format, 100, largest + 1).size(), 5u);
  try {
    load_examples(dir_ / "train.jsonl", format, 100, largest);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("train.jsonl:"));
    EXPECT_THAT(error.what(), HasSubstr("the prompt has the token " + std::to_string(largest)));
  }
}

}  // namespace
}  // namespace rft::worker
