#include "engine/rollout/generate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "engine/counter_random.h"
#include "engine/model/token_memory.h"
#include "engine/rollout/sampler.h"
#include "engine/rollout/stop_strings.h"

namespace rft::engine {
namespace {

using Clock = std::chrono::steady_clock;

// A sequence under way in row r of the cache, r its place in Rollout::rows_.
struct Row {
  size_t prompt;
  int64_t sample;
  int64_t length;  // positions in the cache; the last sampled token is not in it yet
  Clock::time_point started;
  std::unique_ptr<StopStrings> stop;  // null without stop strings
};

class Rollout {
 public:
  Rollout(const Decoder& decoder, std::span<const Prompt> prompts, const SamplingOptions& options,
          const text::Tokenizer* tokenizer, ProgressSink& progress, const PromptEnded& prompt_ended);

  std::vector<std::vector<Completion>> run();

 private:
  struct PrefilledPrompt {
    std::vector<at::Tensor> keys, values;  // per layer (K, T, D)
    at::Tensor logits;                     // (V), of the first completion token
  };

  bool has_waiting() const { return next_prompt_ < prompts_.size(); }
  void start_waiting();
  std::vector<size_t> prompts_to_prefill(int64_t free_rows) const;
  void prefill(const std::vector<size_t>& which);
  void start_row(size_t prompt, int64_t sample);
  void decode_step();
  void compute_again(int64_t row);
  void take_tokens(const at::Tensor& logits, size_t first_row);
  void drop_finished();
  bool finish_if_done(Row& row, Completion& completion) const;
  int64_t room(size_t prompt) const;
  Completion& completion_of(const Row& row) {
    return completions_[row.prompt][static_cast<size_t>(row.sample)];
  }

  const Decoder& decoder_;
  std::span<const Prompt> prompts_;
  const SamplingOptions& options_;
  const text::Tokenizer* tokenizer_;  // null where there are no stop strings
  ProgressSink& progress_;
  const PromptEnded& prompt_ended_;
  SamplingFilter filter_;
  KvCache cache_;
  std::vector<Row> rows_;
  std::vector<bool> finished_;  // by row, since the last drop_finished()
  std::vector<std::vector<Completion>> completions_;
  size_t next_prompt_ = 0;  // the next sequence to start
  int64_t next_sample_ = 0;
  std::vector<PrefilledPrompt> prefilled_;  // by prompt; empty before its first sample and after its last
  std::vector<int64_t> samples_left_;       // by prompt
  int64_t num_done_ = 0, num_total_ = 0;
};

int64_t longest_sequence(const Decoder& decoder, std::span<const Prompt> prompts,
                         const SamplingOptions& options) {
  size_t longest = 0;
  for (const Prompt& prompt : prompts) longest = std::max(longest, prompt.ids.size());
  return std::min(static_cast<int64_t>(longest) + options.max_new_tokens, decoder.config().max_positions);
}

int64_t rows_needed(std::span<const Prompt> prompts, const SamplingOptions& options) {
  int64_t sequences = 0;
  for (const Prompt& prompt : prompts) sequences += prompt.num_samples;
  return std::min(sequences, options.max_batch);
}

void check(const Decoder& decoder, std::span<const Prompt> prompts, const SamplingOptions& options,
           const text::Tokenizer* tokenizer) {
  auto refuse = [](const std::string& message, const char* field) {
    throw Error(ErrorCode::invalid_argument, message, field);
  };
  if (!(options.temperature >= 0)) refuse("temperature is negative", "temperature");
  if (options.top_k < 0) refuse("top_k is negative", "top_k");
  if (!(options.top_p > 0 && options.top_p <= 1)) refuse("top_p is not in (0, 1]", "top_p");
  if (options.max_new_tokens < 1) refuse("max_new_tokens is less than 1", "max_new_tokens");
  if (options.max_batch < 1) refuse("max_batch is less than 1", "max_batch");
  if (std::find(options.stop.begin(), options.stop.end(), "") != options.stop.end())
    refuse("a stop string is empty", "stop");
  if (!options.stop.empty() && tokenizer == nullptr) refuse("stop strings need a tokenizer", "stop");
  for (const Prompt& prompt : prompts) {
    const auto length = static_cast<int64_t>(prompt.ids.size());
    if (length == 0) refuse("a prompt has no tokens", "prompt");
    if (prompt.num_samples < 1) refuse("a prompt asks for no sample", "num_samples");
    if (length >= decoder.config().max_positions) {
      refuse("a prompt of " + std::to_string(length) + " tokens leaves no room in the model's " +
                 std::to_string(decoder.config().max_positions) + " positions",
             "prompt");
    }
    for (const int64_t id : prompt.ids) {
      if (id < 0 || id >= decoder.config().vocab_size)
        refuse("token id " + std::to_string(id) + " is outside the vocabulary", "prompt");
    }
  }
}

Rollout::Rollout(const Decoder& decoder, std::span<const Prompt> prompts, const SamplingOptions& options,
                 const text::Tokenizer* tokenizer, ProgressSink& progress, const PromptEnded& prompt_ended)
    : decoder_(decoder),
      prompts_(prompts),
      options_(options),
      tokenizer_(tokenizer),
      progress_(progress),
      prompt_ended_(prompt_ended),
      filter_{options.temperature, options.top_k, options.top_p},
      cache_(decoder.make_cache(rows_needed(prompts, options), longest_sequence(decoder, prompts, options))),
      prefilled_(prompts.size()) {
  for (const Prompt& prompt : prompts) {
    completions_.emplace_back(static_cast<size_t>(prompt.num_samples));
    samples_left_.push_back(prompt.num_samples);
    num_total_ += prompt.num_samples;
  }
}

std::vector<std::vector<Completion>> Rollout::run() {
  while (has_waiting() || !rows_.empty()) {
    if (progress_.stop_requested()) throw Interrupted();
    start_waiting();
    drop_finished();
    if (!rows_.empty()) {
      decode_step();
      drop_finished();
    }
  }
  return std::move(completions_);
}

// Fills the free rows with the next sequences in order; each gets its first token from its prompt's logits.
void Rollout::start_waiting() {
  const int64_t num_rows = rows_needed(prompts_, options_);
  const size_t first_new = rows_.size();
  std::vector<at::Tensor> first_logits;
  while (has_waiting() && static_cast<int64_t>(rows_.size()) < num_rows) {
    if (prefilled_[next_prompt_].keys.empty())
      prefill(prompts_to_prefill(num_rows - static_cast<int64_t>(rows_.size())));
    first_logits.push_back(prefilled_[next_prompt_].logits);
    start_row(next_prompt_, next_sample_);
    if (++next_sample_ == prompts_[next_prompt_].num_samples) {
      prefilled_[next_prompt_] = {};
      ++next_prompt_;
      next_sample_ = 0;
    }
  }
  if (!first_logits.empty()) take_tokens(at::stack(first_logits), first_new);
}

// The prompts from the next one on whose samples go into the free rows, as many as one prefill takes.
std::vector<size_t> Rollout::prompts_to_prefill(int64_t free_rows) const {
  std::vector<size_t> which;
  int64_t longest = 0;
  for (size_t i = next_prompt_; i < prompts_.size() && free_rows > 0; ++i) {
    longest = std::max(longest, static_cast<int64_t>(prompts_[i].ids.size()));
    if (!which.empty() && longest * static_cast<int64_t>(which.size() + 1) > kPrefillTokens) break;
    which.push_back(i);
    free_rows -= prompts_[i].num_samples;
  }
  return which;
}

void Rollout::prefill(const std::vector<size_t>& which) {
  std::vector<int64_t> lengths;
  lengths.reserve(which.size());
  for (const size_t i : which) lengths.push_back(static_cast<int64_t>(prompts_[i].ids.size()));
  const int64_t T = *std::max_element(lengths.begin(), lengths.end());
  const at::Tensor ids = at::zeros({static_cast<int64_t>(which.size()), T}, at::kLong);
  for (size_t b = 0; b < which.size(); ++b) {
    const std::vector<int64_t>& prompt = prompts_[which[b]].ids;
    std::copy(prompt.begin(), prompt.end(), ids.data_ptr<int64_t>() + static_cast<int64_t>(b) * T);
  }
  const Decoder::Prefill result = decoder_.prefill(ids, lengths);
  const at::Tensor logits = decoder_.logits(result.last_hidden).cpu();  // (B, V)
  for (size_t b = 0; b < which.size(); ++b) {
    PrefilledPrompt& prompt = prefilled_[which[b]];
    prompt.logits = logits[static_cast<int64_t>(b)];
    for (size_t layer = 0; layer < result.keys.size(); ++layer) {
      prompt.keys.push_back(result.keys[layer][static_cast<int64_t>(b)]);
      prompt.values.push_back(result.values[layer][static_cast<int64_t>(b)]);
    }
  }
}

void Rollout::start_row(size_t prompt, int64_t sample) {
  const auto length = static_cast<int64_t>(prompts_[prompt].ids.size());
  cache_.fill_row(static_cast<int64_t>(rows_.size()), prefilled_[prompt].keys, prefilled_[prompt].values,
                  length);
  rows_.push_back({prompt, sample, length, Clock::now(), nullptr});
  if (!options_.stop.empty()) rows_.back().stop = std::make_unique<StopStrings>(*tokenizer_, options_.stop);
  finished_.push_back(false);
}

void Rollout::decode_step() {
  std::vector<int64_t> ids, positions;
  for (size_t r = 0; r < rows_.size(); ++r)
    if (decoder_.outgrows_cache(rows_[r].length)) compute_again(static_cast<int64_t>(r));
  for (Row& row : rows_) {
    ids.push_back(completion_of(row).ids.back());
    positions.push_back(row.length++);
  }
  take_tokens(decoder_.decode(ids, positions, cache_).cpu(), 0);
}

// Fills a row anew, all of it as the beginning of a longer sequence.
void Rollout::compute_again(int64_t r) {
  const Row& row = rows_[static_cast<size_t>(r)];
  std::vector<int64_t> ids = prompts_[row.prompt].ids;
  const std::vector<int64_t>& sampled = completion_of(row).ids;
  ids.insert(ids.end(), sampled.begin(), sampled.end() - 1);  // the last one is not in the cache yet
  const Decoder::Prefill result =
      decoder_.prefill(at::tensor(ids, at::kLong).unsqueeze(0), {{row.length}}, /*num_more=*/1);
  std::vector<at::Tensor> keys, values;
  for (size_t layer = 0; layer < result.keys.size(); ++layer) {
    keys.push_back(result.keys[layer][0]);
    values.push_back(result.values[layer][0]);
  }
  cache_.fill_row(r, keys, values, row.length);
}

// Draws the next token of each row from `first_row` on; logits (B, V).
void Rollout::take_tokens(const at::Tensor& logits, size_t first_row) {
  std::vector<double> uniforms;
  for (size_t r = first_row; r < rows_.size(); ++r) {
    const Row& row = rows_[r];
    uniforms.push_back(sampling_uniform(options_.seed, options_.iteration, prompts_[row.prompt].stream,
                                        static_cast<uint32_t>(row.sample),
                                        static_cast<uint32_t>(completion_of(row).ids.size())));
  }
  const Draw draw = sample(logits, filter_, uniforms);
  for (size_t r = first_row; r < rows_.size(); ++r) {
    Completion& completion = completion_of(rows_[r]);
    completion.ids.push_back(draw.ids[r - first_row]);
    completion.log_probs.push_back(draw.log_probs[r - first_row]);
    finished_[r] = finish_if_done(rows_[r], completion);
  }
}

int64_t Rollout::room(size_t prompt) const {
  return std::min(options_.max_new_tokens,
                  decoder_.config().max_positions - static_cast<int64_t>(prompts_[prompt].ids.size()));
}

bool Rollout::finish_if_done(Row& row, Completion& completion) const {
  const std::vector<int64_t>& ends = decoder_.config().eos_token_ids;
  if (!options_.ignore_eos && std::find(ends.begin(), ends.end(), completion.ids.back()) != ends.end())
    completion.finish = FinishReason::eos;
  else if (row.stop && row.stop->push(completion.ids.back()))
    completion.finish = FinishReason::stop;
  else if (static_cast<int64_t>(completion.ids.size()) >= room(row.prompt))
    completion.finish = FinishReason::length;
  else
    return false;
  completion.seconds = seconds_since(row.started);
  return true;
}

// The last row moves into each hole, so that the rows under way stay the first ones.
void Rollout::drop_finished() {
  const int64_t done_before = num_done_;
  for (size_t r = rows_.size(); r-- > 0;) {
    if (!finished_[r]) continue;
    ++num_done_;
    const size_t prompt = rows_[r].prompt;
    if (--samples_left_[prompt] == 0 && prompt_ended_) prompt_ended_(prompt, completions_[prompt]);
    if (r + 1 < rows_.size()) {
      cache_.copy_row(static_cast<int64_t>(rows_.size() - 1), static_cast<int64_t>(r), rows_.back().length);
      rows_[r] = std::move(rows_.back());
    }
    rows_.pop_back();
    finished_.pop_back();
  }
  std::fill(finished_.begin(), finished_.end(), false);
  if (num_done_ > done_before) progress_.advance("rollout", num_done_, num_total_, "completions");
}

}  // namespace

std::vector<std::vector<Completion>> generate(const Decoder& decoder, std::span<const Prompt> prompts,
                                              const SamplingOptions& options,
                                              const text::Tokenizer* tokenizer, ProgressSink& progress,
                                              const PromptEnded& prompt_ended) {
  check(decoder, prompts, options, tokenizer);
  if (prompts.empty()) return {};
  return Rollout(decoder, prompts, options, tokenizer, progress, prompt_ended).run();
}

}  // namespace rft::engine
