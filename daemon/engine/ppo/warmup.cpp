#include "engine/ppo/warmup.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/checkpoint/training_state.h"
#include "engine/model/decoder.h"
#include "engine/optim/adamw.h"
#include "engine/optim/schedule.h"
#include "engine/ppo/model_pass.h"
#include "engine/ppo/permutation.h"
#include "engine/ppo/token_batch.h"

namespace rft::engine {
namespace {

constexpr double kRisingShare = 0.03;  // of the steps
// Apart from the orders of PPO's epochs, which are drawn from the same seed.
constexpr uint64_t kWarmupPurpose = 0x7761726d7570;  // "warmup"

void check(const std::vector<WarmupExample>& examples, const WarmupOptions& options, int64_t vocab_size) {
  const auto require = [](bool holds, const std::string& what) {
    if (!holds) throw Error(ErrorCode::invalid_argument, "warm-up: " + what);
  };
  require(!examples.empty(), "there are no examples");
  require(options.epochs >= 1, "epochs must be at least 1");
  require(options.batch_size >= 1, "batch_size must be at least 1");
  require(std::isfinite(options.learning_rate) && options.learning_rate >= 0,
          "learning_rate must be at least 0");
  require(options.prompt_loss >= 0 && options.prompt_loss <= 1, "prompt_loss must be from 0 to 1");
  for (size_t i = 0; i < examples.size(); ++i) {
    const std::string name = "example " + std::to_string(i);
    require(!examples[i].prompt_ids.empty(), name + " has an empty prompt");
    require(!examples[i].output_ids.empty(), name + " has an empty output");
    for (const std::vector<int64_t>* ids : {&examples[i].prompt_ids, &examples[i].output_ids}) {
      const bool known =
          std::all_of(ids->begin(), ids->end(), [&](int64_t id) { return id >= 0 && id < vocab_size; });
      require(known, name + " has a token that is not in the vocabulary");
    }
  }
}

}  // namespace

struct Warmup::State {
  Ranks& ranks;
  std::shared_ptr<Decoder> policy;
  std::vector<WarmupExample> examples;
  WarmupOptions options;
  std::vector<TokenSequence> sequences;  // views of the examples
  AdamW optimiser;
  int64_t steps_done = 0;

  int64_t steps_per_epoch() const {
    return (static_cast<int64_t>(examples.size()) + options.batch_size - 1) / options.batch_size;
  }
  int64_t num_steps() const { return options.epochs * steps_per_epoch(); }
  double learning_rate() const {
    const auto rising = static_cast<int64_t>(kRisingShare * static_cast<double>(num_steps()));
    return options.learning_rate *
           learning_rate_factor({ScheduleKind::cosine, num_steps() + 1, rising, 0}, steps_done);
  }
  std::vector<int64_t> next_batch() const;
  double accumulate(const std::vector<int64_t>& rows);
};

// The examples of the present step: a slice of the epoch's own order.
std::vector<int64_t> Warmup::State::next_batch() const {
  const auto size = static_cast<int64_t>(examples.size());
  const std::vector<int64_t> order =
      permutation(size, options.seed, kWarmupPurpose, static_cast<uint64_t>(steps_done / steps_per_epoch()));
  const int64_t begin = steps_done % steps_per_epoch() * options.batch_size;
  return {order.begin() + begin, order.begin() + std::min(begin + options.batch_size, size)};
}

// The gradient of the mean cross-entropy over the batch's weighted tokens, and that mean.
double Warmup::State::accumulate(const std::vector<int64_t>& rows) {
  double total_weight = 0;
  for (const int64_t row : rows) {
    total_weight += static_cast<double>(examples[row].output_ids.size());
    total_weight += options.prompt_loss * static_cast<double>(examples[row].prompt_ids.size() - 1);
  }
  const Targets targets = options.prompt_loss > 0 ? Targets::prompt_and_completion : Targets::completion;
  double loss = 0;
  for (const std::vector<int64_t>& micro_batch :
       micro_batches_for(*policy, sequences, own_rows(sequences, rows, ranks), options.micro_batch_tokens)) {
    const TokenBatch batch =
        make_token_batch(sequences, micro_batch, targets, /*feed_ends=*/false, policy->options().device);
    const at::Tensor weights =  // (M)
        at::where(batch.offsets < 0, options.prompt_loss, 1.0).to(at::kFloat) / total_weight;
    accumulate_gradients(
        *policy, batch, /*temperature=*/1, /*with_entropy=*/false,
        [&](const at::Tensor& /*hidden*/, const TokenLogProbs& now, int64_t begin, int64_t count) {
          const at::Tensor chunk_loss = -(now.log_probs * weights.narrow(0, begin, count)).sum();
          loss += chunk_loss.item<double>();
          return chunk_loss;
        });
  }
  ranks.sum_gradients(optimiser.parameters());
  return ranks.sum(loss);
}

Warmup::Warmup(std::shared_ptr<Decoder> policy, std::vector<WarmupExample> examples,
               const WarmupOptions& options, Ranks& ranks) {
  check(examples, options, policy->config().vocab_size);
  AdamW optimiser(tensors_of(policy->trained_parameters()),
                  {.weight_decay = options.weight_decay, .max_grad_norm = options.max_grad_norm});
  state_ = std::make_unique<State>(
      State{ranks, std::move(policy), std::move(examples), options, {}, std::move(optimiser)});
  for (const WarmupExample& example : state_->examples) {
    state_->sequences.push_back({example.prompt_ids, example.output_ids});
  }
}

Warmup::~Warmup() = default;

int64_t Warmup::num_steps() const { return state_->num_steps(); }

int64_t Warmup::steps_done() const { return state_->steps_done; }

std::map<std::string, double> Warmup::step() {
  if (done()) throw Error(ErrorCode::internal, "the warm-up is over");
  const double learning_rate = state_->learning_rate();
  const double loss = state_->accumulate(state_->next_batch());
  const AdamW::Step step = state_->optimiser.step(learning_rate);
  state_->policy->weights_changed();
  ++state_->steps_done;
  return {{"warmup/loss", loss},
          {"warmup/learning_rate", learning_rate},
          {"warmup/grad_norm", step.grad_norm},
          {"warmup/skipped", step.skipped ? 1 : 0}};
}

void Warmup::save(const std::filesystem::path& dir) const {
  const AdamWState& moments = state_->optimiser.state();
  const std::vector<NamedTensor>& policy = state_->policy->trained_parameters();
  TrainingState saved;
  saved.kind = "warmup";
  saved.numbers = {{"steps_done", state_->steps_done}, {"optimiser_steps", moments.num_steps}};
  saved.files["trained"] = policy;
  saved.files["first_moments"] = named_like(policy, moments.first_moments);
  saved.files["second_moments"] = named_like(policy, moments.second_moments);
  write_training_state(dir, saved);
}

void Warmup::load(const std::filesystem::path& dir) {
  const TrainingState saved = read_training_state(dir, "warmup");
  const std::vector<NamedTensor>& policy = state_->policy->trained_parameters();
  const std::vector<at::Tensor> trained = stored_tensors(saved, "trained", policy, dir);
  const AdamWState moments{stored_tensors(saved, "first_moments", policy, dir),
                           stored_tensors(saved, "second_moments", policy, dir),
                           static_cast<int64_t>(stored_number(saved, "optimiser_steps", dir))};
  const auto steps_done = static_cast<int64_t>(stored_number(saved, "steps_done", dir));
  copy_into(policy, trained);
  state_->policy->weights_changed();
  state_->optimiser.restore(moments);
  state_->steps_done = steps_done;
}

}  // namespace rft::engine
