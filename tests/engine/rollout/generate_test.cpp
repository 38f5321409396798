#include "engine/rollout/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <span>

#include "base/error.h"
#include "engine/rollout/stop_strings.h"
#include "engine/support/tiny_model.h"
#include "support/temp_dir.h"
#include "text/train_tokenizer.h"

namespace rft::engine {
namespace {

class RecordingSink : public ProgressSink {
 public:
  void advance(std::string_view phase, int64_t done, int64_t total, std::string_view) override {
    EXPECT_EQ(phase, "rollout");
    EXPECT_GT(done, last_done);
    last_done = done;
    last_total = total;
  }
  bool stop_requested() const override { return asked++ >= stop_after; }

  int64_t last_done = 0, last_total = 0;
  mutable int64_t asked = 0;
  int64_t stop_after = 1'000'000;
};

std::vector<Prompt> some_prompts(int64_t count, int64_t num_samples) {
  std::vector<Prompt> prompts;
  for (int64_t i = 0; i < count; ++i)
    prompts.push_back(
        {some_ids(2 + (i * 5) % 9, static_cast<uint64_t>(i)), num_samples, static_cast<uint64_t>(i)});
  return prompts;
}

std::vector<std::vector<Completion>> run(const Decoder& decoder, const std::vector<Prompt>& prompts,
                                         const SamplingOptions& options) {
  RecordingSink sink;
  auto completions = generate(decoder, prompts, options, nullptr, sink);
  EXPECT_EQ(sink.last_done, sink.last_total);
  return completions;
}

at::Tensor whole_sequence_log_probs(const Decoder& decoder, const Prompt& prompt,
                                    const Completion& completion, double temperature) {
  const at::NoGradGuard no_grad;
  std::vector<int64_t> ids = prompt.ids;
  ids.insert(ids.end(), completion.ids.begin(), completion.ids.end());
  const at::Tensor hidden = decoder.hidden_states(at::tensor(ids, at::kLong).unsqueeze(0))[0];
  const auto P = static_cast<int64_t>(prompt.ids.size()), T = static_cast<int64_t>(completion.ids.size());
  return at::log_softmax(decoder.logits(hidden.narrow(0, P - 1, T)) / temperature, -1);  // (T, V)
}

TEST(Generate, TellsOfEachPromptOnceAllItsSamplesHaveEnded) {
  const auto decoder = tiny_decoder();
  const auto prompts = some_prompts(7, 3);
  SamplingOptions options;
  options.max_new_tokens = 12;
  options.max_batch = 4;
  std::map<size_t, std::vector<Completion>> told;
  RecordingSink sink;
  const auto completions = generate(*decoder, prompts, options, nullptr, sink,
                                    [&](size_t prompt, const std::vector<Completion>& samples) {
                                      EXPECT_TRUE(told.emplace(prompt, samples).second) << "told of twice";
                                    });
  ASSERT_EQ(told.size(), prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i)
    for (size_t sample = 0; sample < 3; ++sample)
      EXPECT_EQ(told[i].at(sample).ids, completions[i][sample].ids);
}

TEST(Generate, GreedyTakesTheLikeliestTokenAtEachPosition) {
  const auto decoder = tiny_decoder();
  const auto prompts = some_prompts(5, 1);
  const auto completions = run(*decoder, prompts, {.temperature = 0, .max_new_tokens = 20, .max_batch = 3});
  for (size_t p = 0; p < prompts.size(); ++p) {
    const Completion& completion = completions[p][0];
    const at::Tensor log_probs = whole_sequence_log_probs(*decoder, prompts[p], completion, 1);
    EXPECT_TRUE(log_probs.argmax(-1).equal(at::tensor(completion.ids, at::kLong))) << "prompt " << p;
  }
}

TEST(Generate, LogProbsAreThoseOfTheWholeTemperatureScaledDistribution) {
  const auto decoder = tiny_decoder();
  const auto prompts = some_prompts(4, 2);
  // A filter cuts what may be drawn, not what is reported.
  const auto completions =
      run(*decoder, prompts, {.temperature = 0.7, .top_k = 9, .top_p = 0.9, .max_new_tokens = 16, .seed = 5});
  for (size_t p = 0; p < prompts.size(); ++p) {
    for (const Completion& completion : completions[p]) {
      const at::Tensor log_probs = whole_sequence_log_probs(*decoder, prompts[p], completion, 0.7);
      for (size_t t = 0; t < completion.ids.size(); ++t) {
        EXPECT_NEAR(completion.log_probs[t],
                    log_probs[static_cast<int64_t>(t)][completion.ids[t]].item<float>(), 1e-4);
      }
    }
  }
}

TEST(Generate, TheBatchChangesNoSample) {
  const auto decoder = tiny_decoder();
  const auto prompts = some_prompts(7, 3);
  SamplingOptions options{.max_new_tokens = 24, .seed = 11, .iteration = 2, .max_batch = 1};
  const auto one_by_one = run(*decoder, prompts, options);
  for (const int64_t max_batch : {4, 21, 64}) {
    options.max_batch = max_batch;
    const auto batched = run(*decoder, prompts, options);
    for (size_t p = 0; p < prompts.size(); ++p)
      for (size_t s = 0; s < 3; ++s) EXPECT_EQ(batched[p][s].ids, one_by_one[p][s].ids) << p << " " << s;
  }
}

TEST(Generate, SeedIterationStreamAndSampleEachChangeWhatIsDrawn) {
  const auto decoder = tiny_decoder();
  const std::vector<Prompt> prompt = {{some_ids(4, 1), 2, 8}};
  auto first = [&](uint64_t seed, uint64_t iteration, uint64_t stream, size_t sample) {
    std::vector<Prompt> copy = prompt;
    copy[0].stream = stream;
    return run(*decoder, copy,
               {.max_new_tokens = 12, .ignore_eos = true, .seed = seed, .iteration = iteration})[0][sample]
        .ids;
  };
  EXPECT_EQ(first(1, 1, 8, 0), first(1, 1, 8, 0));
  EXPECT_NE(first(1, 1, 8, 0), first(2, 1, 8, 0));
  EXPECT_NE(first(1, 1, 8, 0), first(1, 2, 8, 0));
  EXPECT_NE(first(1, 1, 8, 0), first(1, 1, 9, 0));
  EXPECT_NE(first(1, 1, 8, 0), first(1, 1, 8, 1));
}

TEST(Generate, ACompletionEndsAtItsFirstEndOfSequenceAndHoldsIt) {
  const auto decoder = tiny_decoder();
  const auto completions = run(*decoder, some_prompts(20, 4), {.max_new_tokens = 100, .seed = 1});
  int64_t num_ended = 0;
  for (const auto& group : completions) {
    for (const Completion& completion : group) {
      ASSERT_EQ(completion.ids.size(), completion.log_probs.size());
      const auto end = std::find(completion.ids.begin(), completion.ids.end(), 1);
      EXPECT_EQ(completion.finish == FinishReason::eos, end != completion.ids.end());
      if (completion.finish == FinishReason::eos) {
        EXPECT_EQ(end, completion.ids.end() - 1);
        ++num_ended;
      } else {
        EXPECT_EQ(completion.finish, FinishReason::length);
        EXPECT_EQ(completion.ids.size(), 100u);
      }
    }
  }
  EXPECT_GT(num_ended, 10);
}

TEST(Generate, ACompletionEndsWithTheModelsLastPosition) {
  const auto decoder = tiny_decoder();
  const std::vector<Prompt> prompts = {{some_ids(120, 1), 1, 0}, {some_ids(3, 2), 1, 1}};
  const auto completions = run(*decoder, prompts, {.max_new_tokens = 20, .ignore_eos = true});
  EXPECT_EQ(completions[0][0].ids.size(), 8u);
  EXPECT_EQ(completions[1][0].ids.size(), 20u);
}

TEST(Generate, ACompletionEndsOnceItsTextHoldsAStopString) {
  const TempDir dir;
  text::train_bpe(std::vector<std::string>{"one two three", "four five six"}, {.vocab_size = 300},
                  dir.path());
  const auto tokenizer = text::Tokenizer::load(dir.path());
  ModelConfig config = tiny_config();
  config.vocab_size = tokenizer.vocab_size();
  config.eos_token_ids = {};
  const auto decoder = tiny_decoder(3, at::kFloat, config);
  const auto prompts = some_prompts(8, 4);
  RecordingSink sink;
  SamplingOptions options{.max_new_tokens = 60, .stop = {"e", "zzzz", "xy"}, .seed = 3, .max_batch = 5};
  const auto stopped = generate(*decoder, prompts, options, &tokenizer, sink);
  options.stop.clear();
  const auto free = run(*decoder, prompts, options);
  int64_t num_stopped = 0;
  for (size_t p = 0; p < prompts.size(); ++p) {
    for (size_t s = 0; s < 4; ++s) {
      // The same tokens as without stop strings, up to the one that completes the first of them.
      const std::vector<int64_t>& ids = stopped[p][s].ids;
      ASSERT_LE(ids.size(), free[p][s].ids.size());
      EXPECT_TRUE(std::equal(ids.begin(), ids.end(), free[p][s].ids.begin()));
      const auto holds_stop = [&](std::span<const int64_t> some) {
        const std::string text = tokenizer.decode(some, false);
        return text.find("e") != std::string::npos || text.find("xy") != std::string::npos;
      };
      const bool ended = stopped[p][s].finish == FinishReason::stop;
      num_stopped += ended;
      EXPECT_EQ(holds_stop(ids), ended);
      EXPECT_FALSE(holds_stop(std::span(ids).first(ids.size() - 1)));
      EXPECT_TRUE(ended || ids.size() == 60u);
    }
  }
  EXPECT_GT(num_stopped, 3);
}

TEST(StopStrings, SpanTokensAndSpecialTokens) {
  const TempDir dir;
  text::train_bpe(std::vector<std::string>{"abc"}, {.vocab_size = 258, .eos_token = "<end>"}, dir.path());
  const auto tokenizer = text::Tokenizer::load(dir.path());
  const std::vector<std::string> stop = {"def", "<end>"};
  StopStrings across(tokenizer, stop);
  std::vector<bool> held;
  for (const int64_t id : tokenizer.encode("abcdeefdefg", false)) held.push_back(across.push(id));
  EXPECT_EQ(std::find(held.begin(), held.end(), true) - held.begin(),
            static_cast<ptrdiff_t>(held.size()) - 2);
  StopStrings special(tokenizer, stop);
  EXPECT_FALSE(special.push(tokenizer.encode("a", false)[0]));
  EXPECT_TRUE(special.push(*tokenizer.token_to_id("<end>")));
}

TEST(Generate, StopsBetweenStepsWhenAsked) {
  const auto decoder = tiny_decoder();
  RecordingSink sink;
  sink.stop_after = 5;
  EXPECT_THROW(
      generate(*decoder, some_prompts(4, 1), {.max_new_tokens = 50, .ignore_eos = true}, nullptr, sink),
      Interrupted);
  EXPECT_EQ(sink.asked, 6);
}

TEST(Generate, RefusesPromptsThatItCannotContinue) {
  const auto decoder = tiny_decoder();
  RecordingSink sink;
  for (const std::vector<int64_t>& ids :
       {std::vector<int64_t>{}, std::vector<int64_t>{61}, some_ids(128, 1)}) {
    const std::vector<Prompt> prompts = {{ids, 1, 0}};
    EXPECT_THROW(generate(*decoder, prompts, {}, nullptr, sink), Error);
  }
}

}  // namespace
}  // namespace rft::engine
