// What a job will hold in memory, told before it starts from its model's config.json and its configuration
// alone. The daemon asks at admission, where a prompt's tokens are a guess from its bytes; the worker asks
// again once it has counted them, before it loads a weight. One function, one table of terms; tests/memory
// compares it with what the engine really takes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "config/job_config.h"
#include "engine/model/model_config.h"

namespace rft::memory {

// The stages that need the most, of which a job is in one at a time. The warm-up is an update without a
// reference.
enum class Stage { rollout, update, final_check };
inline constexpr Stage kStages[] = {Stage::rollout, Stage::update, Stage::final_check};
std::string_view to_string(Stage stage);

// What is known of the job's data: counted, or guessed by `guess_tokens`.
struct DataExtent {
  int64_t longest_prompt = 0;  // in tokens
  int64_t longest_output = 0;  // in tokens, of the warm-up
  int64_t num_evaluated = 0;   // records of the larger of validation and test
  int64_t num_bytes = 0;       // of all splits
};

// At least the tokens of a text of so many bytes, or nearly so: a small vocabulary may spend one on each
// byte, a usual one has some three bytes or more in a token.
int64_t guess_tokens(int64_t num_bytes, int64_t vocab_size);

struct Term {
  std::string name;
  int64_t bytes = 0;
  std::vector<Stage> stages;  // in which it is there
  std::string mend;           // what makes it smaller; empty: nothing in the job
};

struct Estimate {
  std::vector<Term> terms;
  bool on_gpu = false;    // then all but the first term is the GPU's memory
  int64_t num_ranks = 1;  // processes, each of which takes all of it
  // Beside the ranks, in the machine's memory: the hosts of the scorer, as they were once loaded.
  int64_t num_scorer_hosts = 1;
  int64_t scorer_bytes = 0;  // of all of them

  int64_t in(Stage stage) const;
  Stage peak() const;
  int64_t bytes() const { return in(peak()); }
  // Of the machine's own memory: one process's, and the job's.
  int64_t process_bytes() const { return on_gpu ? terms.front().bytes : bytes(); }
  int64_t host_bytes() const { return num_ranks * process_bytes() + scorer_bytes; }
  // "3.1 GB in the update: AdamW moments 1.1 GB, …", the largest first.
  std::string text() const;
  // "lower max_new_tokens in [rollout] (KV cache 2.1 GB); …", for the largest terms of the peak.
  std::string mends() const;
};

Estimate estimate(const engine::ModelConfig& model, const config::JobConfig& job, const DataExtent& data);

// What the job's owner allows it, in bytes; 0: no limit.
int64_t limit_of(const config::JobConfig& job);
// "it needs 5.1 GB in the update: …, and may take 4.0 GB; lower …".
std::string too_large(const Estimate& estimate, int64_t limit);

// {"bytes", "stage", "on_gpu", "ranks", "scorer_hosts", "scorer_bytes", "terms": [{"name", "bytes", "stages",
// "mend"?}]}
Json to_json(const Estimate& estimate);
// Throws Error(invalid_argument) for anything else.
Estimate estimate_from_json(const Json& json);

void write_estimate(const std::filesystem::path& job_folder, const Estimate& estimate);
// Nothing where there is none, or none that can be read.
std::optional<Estimate> read_estimate(const std::filesystem::path& job_folder);

}  // namespace rft::memory
