// The parts of one attempt of a job, put together once: configuration, model, text, data, scorer, trainer,
// and the state that they resume from. pipeline.cpp tells what happens with them.
//
// Each rank of a job has a run of its own and goes through the same pipeline: rollouts and updates are
// divided between them, and what is random, scored or decided is the same on all. The first rank alone has
// the scorer and writes files.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/job_config.h"
#include "engine/model/decoder.h"
#include "engine/ppo/trainer.h"
#include "engine/ppo/warmup.h"
#include "engine/ranks.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "worker/dataset.h"
#include "worker/job_folder.h"
#include "worker/memory.h"
#include "worker/reporter.h"
#include "worker/run_state.h"
#include "worker/scoring.h"

namespace rft::worker {

struct RunOptions {
  std::filesystem::path host_program;  // rft-plugin-host
  std::string device = "cpu";          // cpu | cuda
};

// The job's splits; the last two may be empty.
struct Splits {
  std::vector<Example> train, validation, test, warmup;
};

// How long the run is.
struct RunLength {
  int64_t prompts_per_iteration = 0;
  int64_t iterations_per_epoch = 0;
  int64_t num_iterations = 0;

  // Both count from 1.
  int64_t epoch_of(int64_t iteration) const { return (iteration - 1) / iterations_per_epoch + 1; }
};

// Wall times of the present iteration, in seconds.
struct IterationTimes {
  double rollout_s = 0;
  double score_wait_s = 0;  // for what the scorer had not done when the rollout was
};

class Run {
 public:
  // Loads everything and restores the newest resume point. Throws rft::Error with what is wrong.
  Run(const JobFolder& job_folder, const RunOptions& run_options, Reporter& job_reporter,
      engine::Ranks& all_ranks);

  void save_resume_point();  // on the first rank; nothing on the others
  // Whether `[checkpoint] resume_every_s` has passed since the last one. Each rank has a clock of its own:
  // nothing that all ranks take part in may follow from it.
  bool resume_point_due() const;

  const JobFolder folder;
  const RunOptions options;
  const config::JobConfig config;
  Reporter& reporter;
  engine::Ranks& ranks;
  const engine::DecoderOptions decoder_options;
  const text::Tokenizer tokenizer;
  const std::optional<text::ChatTemplate> chat_template;
  const Splits data;
  const RunLength length;
  const memory::Estimate memory;
  const std::shared_ptr<engine::Decoder> policy;
  std::unique_ptr<engine::Warmup> warmup;  // null without one, and once PPO has begun
  engine::PpoTrainer trainer;
  Scoring scoring;
  RunState state;
  IterationTimes times;
  std::vector<ScoredCompletion> last_batch;  // of this attempt: the requests alone
  std::string pause_reason;                  // set where its owner should look; empty: nobody needs to

 private:
  void restore();

  ResumePoints resume_points_;
  std::chrono::steady_clock::time_point last_resume_point_ = std::chrono::steady_clock::now();
};

}  // namespace rft::worker
