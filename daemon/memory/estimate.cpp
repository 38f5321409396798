#include "memory/estimate.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/machine_memory.h"
#include "engine/model/kernels.h"
#include "engine/model/lora_config.h"
#include "engine/model/safetensors.h"
#include "engine/model/token_memory.h"

namespace rft::memory {
namespace {

using engine::ComputeMode;

constexpr const char* kFile = "memory.json";
constexpr int64_t kFloat = 4, kBfloat16 = 2;  // bytes
constexpr int64_t kCacheBlock = 16;           // positions
// LibTorch, the tokenizer, the threads' stacks and buffers.
constexpr int64_t kProcess = 350'000'000;
// A record is there as text, as its prompt's tokens, and as an episode.
constexpr int64_t kCopiesOfRecords = 6;
// Of a completion token of the iteration: ids, log-probs, values, advantages, ….
constexpr int64_t kEpisodeTokenBytes = 96;
constexpr int64_t kMostKept = int64_t{1} << 30;  // of freed memory, by the allocator

// How many each of `parts` has at most.
int64_t divided(int64_t n, int64_t parts) { return (n + parts - 1) / parts; }
int64_t round_up(int64_t n, int64_t multiple) { return divided(n, multiple) * multiple; }

int64_t episodes_of(const config::JobConfig& job) {
  return job.rollout.prompts_per_iteration * job.rollout.samples_per_prompt;
}

ComputeMode mode_of(const config::JobConfig& job) {
  return {.bfloat16 = job.model.dtype == "bfloat16",
          .checkpointing = job.training.gradient_checkpointing,
          .fused = job.resources.gpus == 0 && engine::kernels::available_f32()};
}

struct Parameters {
  int64_t all = 0, matrices = 0, largest = 0;  // counts; `matrices` are those of matrix products
};

Parameters count(const engine::ModelConfig& model) {
  Parameters counts;
  for (const engine::WeightSpec& weight : engine::expected_weights(model)) {
    const int64_t size = engine::element_count(weight.shape);
    counts.all += size;
    if (weight.shape.size() > 1) counts.matrices += size;
    counts.largest = std::max(counts.largest, size);
  }
  // An embedding is looked up; only where it is the head too does it take part in a product.
  if (!model.tie_word_embeddings) counts.matrices -= model.vocab_size * model.hidden_size;
  return counts;
}

// What a LoRA job trains instead of the model.
struct Adapter {
  int64_t factors = 0;  // parameters; 0: none, every weight is trained
  int64_t width = 0;    // ranks of all linears together: what each token keeps between A and B
};

Adapter adapter_of(const engine::ModelConfig& model, const config::JobConfig& job) {
  const config::LoraConfig& asked = job.model.lora;
  const bool given = !job.resolved.adapter_path.empty();
  if (!given && asked.rank == 0) return {};
  const engine::LoraConfig lora =
      given ? engine::check_adapter(job.resolved.adapter_path, model)
            : engine::LoraConfig{asked.rank, asked.alpha, asked.rslora, asked.targets};
  Adapter adapter;
  for (const engine::LinearSpec& linear : engine::find_linears(model, lora.targets)) {
    adapter.factors += lora.rank * (linear.in + linear.out);
    adapter.width += lora.rank;
  }
  return adapter;
}

// The largest batch of sequences of `length` tokens whose activations are there at a time.
engine::BatchExtent batch_of(const engine::ModelConfig& model, const ComputeMode& mode, int64_t num_sequences,
                             int64_t length) {
  const int64_t most = std::min(engine::micro_batch_tokens(model, mode, 0), num_sequences * length);
  return {std::max(length, most), length};
}

engine::BatchExtent trained_batch(const engine::ModelConfig& model, const ComputeMode& mode,
                                  const config::JobConfig& job, const DataExtent& data) {
  const auto length = [&](int64_t added) {
    return std::min(data.longest_prompt + added, model.max_positions);
  };
  const int64_t minibatch = divided(episodes_of(job), job.ppo.minibatches);
  const engine::BatchExtent of_update =
      batch_of(model, mode, divided(minibatch, job.resources.ranks), length(job.rollout.max_new_tokens));
  if (job.warmup.epochs == 0) return of_update;
  const engine::BatchExtent of_warmup =
      batch_of(model, mode, divided(job.warmup.batch_size, job.resources.ranks), length(data.longest_output));
  return {std::max(of_update.num_tokens, of_warmup.num_tokens), std::max(of_update.length, of_warmup.length)};
}

}  // namespace

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::rollout:
      return "rollout";
    case Stage::update:
      return "update";
    case Stage::final_check:
      return "final check";
  }
  return "";
}

int64_t guess_tokens(int64_t num_bytes, int64_t vocab_size) {
  constexpr int64_t kSmallVocabulary = 8192, kBytesPerToken = 3;
  return vocab_size < kSmallVocabulary ? num_bytes : divided(num_bytes, kBytesPerToken);
}

namespace {

// What generating holds beside the weights, and what a step of training does.
struct Working {
  int64_t packed = 0, cache = 0, prefill = 0, logits = 0;
  int64_t activations = 0, backward = 0;
  int64_t of_rollout() const { return packed + cache + prefill + logits; }
};

Working working_memory(const engine::ModelConfig& model, const config::JobConfig& job, const DataExtent& data,
                       const Parameters& parameters, const Adapter& adapter) {
  const ComputeMode mode = mode_of(job);
  const int64_t samples = job.rollout.samples_per_prompt, new_tokens = job.rollout.max_new_tokens;
  const int64_t evaluated = divided(data.num_evaluated, job.resources.ranks);
  const int64_t episodes = divided(episodes_of(job), job.resources.ranks);
  const int64_t rows = std::min(engine::kRolloutRows, std::max(episodes, evaluated));
  const int64_t positions =
      round_up(std::min(data.longest_prompt + new_tokens, model.max_positions), kCacheBlock);
  const int64_t prompts = std::max(divided(std::min(rows, episodes), samples), std::min(rows, evaluated));
  const int64_t prefilled =
      std::max(data.longest_prompt, std::min(engine::kPrefillTokens, prompts * data.longest_prompt));

  const engine::BatchExtent trained = trained_batch(model, mode, job, data);
  // Of a warm-up's tokens all may be predicted, of an episode's those of its completion.
  const int64_t predicted = job.warmup.epochs > 0
                                ? trained.num_tokens
                                : trained.num_tokens * new_tokens / (data.longest_prompt + new_tokens);
  const int64_t chunk = engine::logits_chunk_bytes(model, mode, predicted,
                                                   {job.rollout.temperature != 1, job.ppo.entropy_coef > 0});
  return {.packed = (mode.bfloat16 ? kBfloat16 : kFloat) * parameters.matrices,
          .cache = rows * positions * engine::cached_token_bytes(model, mode),
          .prefill = engine::prefill_bytes(model, mode, {prefilled, data.longest_prompt}),
          .logits = 2 * kFloat * rows * model.vocab_size,
          .activations =
              engine::activation_bytes(model, mode, trained) + kFloat * trained.num_tokens * adapter.width,
          // One after the other: first the losses, chunk by chunk, then the layers.
          .backward = std::max(chunk, engine::slope_bytes(model, mode, trained))};
}

// Freed memory is kept for the next tensors (engine::reuse_freed_memory), which do not always fit where the
// last ones were. Of an update, a rollout finds what it does not take up again; between an update's tensors
// there are gaps as large as what the rollout had, and one layer's backward pass in each trunk and one more.
int64_t left_of_update(const Working& working) {
  const int64_t freed = working.activations + working.backward;
  return std::max<int64_t>(0, std::min(kMostKept, freed) - working.of_rollout());
}
int64_t gaps_in_update(const Working& working, int64_t num_trunks) {
  return std::min(kMostKept, working.of_rollout() + (1 + num_trunks) * working.backward);
}

int64_t scorer_bytes(const config::JobConfig& job) {
  int64_t bytes = 0;
  for (const config::PinnedScorer& scorer : config::pinned_scorers(job)) bytes += scorer.memory_bytes;
  return job.scorer.hosts * bytes;
}

}  // namespace

Estimate estimate(const engine::ModelConfig& model, const config::JobConfig& job, const DataExtent& data) {
  const ComputeMode mode = mode_of(job);
  const Parameters parameters = count(model);
  const Adapter adapter = adapter_of(model, job);
  const Working working = working_memory(model, job, data, parameters, adapter);
  const int64_t num_trunks = job.ppo.value_model == "separate" ? 2 : 1;
  // An adapter's trunks share the frozen base, which is also its reference.
  const bool all_trained = adapter.factors == 0;
  const int64_t num_models = all_trained ? num_trunks : 1;
  const int64_t trained = num_trunks * (all_trained ? parameters.all : adapter.factors);
  const int64_t rounded = mode.bfloat16 ? kBfloat16 * num_models * parameters.matrices : 0;
  const int64_t reference =
      all_trained ? (kFloat + (mode.bfloat16 ? kBfloat16 : 0)) * parameters.all : kFloat * adapter.factors;

  using enum Stage;
  const std::vector<Stage> always = {rollout, update, final_check}, generating = {rollout, final_check};
  const std::string shorter = "lower max_new_tokens in [rollout], or shorten the prompts";
  return {
      {
          {"process and data", kProcess + kCopiesOfRecords * data.num_bytes, always, ""},
          {"weights", kFloat * parameters.all, always, "take a smaller model"},
          {"adapters", kFloat * num_trunks * adapter.factors, always, "lower rank in [model.lora]"},
          {"value model", kFloat * (num_models - 1) * parameters.all, always,
           "set value_model = \"head\" in [ppo], which halves moments and gradients too"},
          {"AdamW moments", 2 * kFloat * trained, always, ""},
          {"reference", reference, always, ""},
          {"rounded weights", rounded, always, ""},
          {"packed weights", working.packed, generating, ""},
          {"KV cache", working.cache, generating, shorter},
          {"prefill", working.prefill, generating, "shorten the prompts"},
          {"next-token logits", working.logits, generating, ""},
          {"left of the update", left_of_update(working), generating, ""},
          {"exported model", kFloat * parameters.all, {final_check}, ""},
          {"gradients", kFloat * trained, {update}, ""},
          {"activations",
           working.activations,
           {update},
           mode.checkpointing ? shorter : "set gradient_checkpointing = true in [training]"},
          {"backward pass", working.backward, {update}, ""},
          {"gaps between tensors", gaps_in_update(working, num_trunks), {update}, ""},
          {"episodes",
           kEpisodeTokenBytes * episodes_of(job) * job.rollout.max_new_tokens,
           {rollout, update},
           "lower prompts_per_iteration, samples_per_prompt or max_new_tokens in [rollout]"},
          // The gradient, or the packed copy, of the largest one is made beside the sum, or the plain one.
          {"one matrix in the making", kFloat * parameters.largest, always, ""},
      },
      job.resources.gpus > 0,
      job.resources.ranks,
      job.scorer.hosts,
      scorer_bytes(job)};
}

int64_t Estimate::in(Stage stage) const {
  int64_t sum = 0;
  for (const Term& term : terms)
    if (std::ranges::count(term.stages, stage) > 0) sum += term.bytes;
  return sum;
}

Stage Estimate::peak() const {
  return *std::ranges::max_element(kStages, {}, [this](Stage stage) { return in(stage); });
}

namespace {

// Those of the peak that are there, the largest first.
std::vector<Term> at_peak(const Estimate& estimate) {
  std::vector<Term> terms = estimate.terms;
  std::erase_if(terms, [stage = estimate.peak()](const Term& term) {
    return term.bytes == 0 || std::ranges::count(term.stages, stage) == 0;
  });
  std::ranges::stable_sort(terms, std::greater{}, &Term::bytes);
  return terms;
}

}  // namespace

std::string Estimate::text() const {
  std::string text = fmt::format("{} in the {}{}:", memory_text(bytes()), to_string(peak()),
                                 num_ranks > 1 ? fmt::format(", in each of {} ranks", num_ranks) : "");
  for (const Term& term : at_peak(*this))
    text += fmt::format("{} {} {}", text.ends_with(':') ? "" : ",", term.name, memory_text(term.bytes));
  if (scorer_bytes > 0)
    text += fmt::format("; beside that {} scorer host{} {}", num_scorer_hosts,
                        num_scorer_hosts == 1 ? "" : "s", memory_text(scorer_bytes));
  return text;
}

std::string Estimate::mends() const {
  constexpr size_t kNamed = 3;
  constexpr int64_t kWorthIt = 20;  // a twentieth of the whole
  std::vector<std::string> mends;
  for (const Term& term : at_peak(*this))
    if (!term.mend.empty() && mends.size() < kNamed && kWorthIt * term.bytes >= bytes())
      mends.push_back(fmt::format("{} ({} {})", term.mend, term.name, memory_text(term.bytes)));
  if (num_scorer_hosts > 1 && kWorthIt * scorer_bytes >= host_bytes())
    mends.push_back(
        fmt::format("lower hosts in [scorer] ({} of them {})", num_scorer_hosts, memory_text(scorer_bytes)));
  return fmt::format("{}", fmt::join(mends, "; "));
}

int64_t limit_of(const config::JobConfig& job) { return static_cast<int64_t>(job.resources.memory_gb * 1e9); }

std::string too_large(const Estimate& estimate, int64_t limit) {
  const std::string mends = estimate.mends();
  return fmt::format("it needs {}, and may take {}{}{}", estimate.text(), memory_text(limit),
                     mends.empty() ? "" : "; ", mends);
}

Json to_json(const Estimate& estimate) {
  Json terms = Json::array();
  for (const Term& term : estimate.terms) {
    Json stages = Json::array();
    for (const Stage stage : term.stages) stages.push_back(to_string(stage));
    terms.push_back({{"name", term.name}, {"bytes", term.bytes}, {"stages", stages}});
    if (!term.mend.empty()) terms.back()["mend"] = term.mend;
  }
  return {{"bytes", estimate.bytes()},
          {"on_gpu", estimate.on_gpu},
          {"ranks", estimate.num_ranks},
          {"scorer_hosts", estimate.num_scorer_hosts},
          {"scorer_bytes", estimate.scorer_bytes},
          {"stage", to_string(estimate.peak())},
          {"terms", terms}};
}

Estimate estimate_from_json(const Json& json) {
  try {
    Estimate estimate;
    estimate.on_gpu = json.at("on_gpu");
    estimate.num_ranks = json.at("ranks");
    estimate.num_scorer_hosts = json.value("scorer_hosts", int64_t{1});
    estimate.scorer_bytes = json.value("scorer_bytes", int64_t{0});
    for (const Json& term : json.at("terms")) {
      estimate.terms.push_back({term.at("name"), term.at("bytes"), {}, term.value("mend", "")});
      for (const Stage stage : kStages)
        if (std::ranges::count(term.at("stages"), Json(to_string(stage))) > 0)
          estimate.terms.back().stages.push_back(stage);
    }
    return estimate;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument, std::string("not an estimate of memory: ") + error.what());
  }
}

void write_estimate(const std::filesystem::path& job_folder, const Estimate& estimate) {
  write_file_atomically(job_folder / kFile, dump_json(to_json(estimate), 1) + "\n");
}

std::optional<Estimate> read_estimate(const std::filesystem::path& job_folder) {
  const std::filesystem::path file = job_folder / kFile;
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    return estimate_from_json(parse_json(read_file(file), file.string()));
  } catch (const Error&) {
    return std::nullopt;  // what it says is worth knowing, and no job hangs on it
  }
}

}  // namespace rft::memory
