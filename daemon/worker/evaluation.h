// Measuring a model on a whole held-out split: greedy (or as `[validation]` says), every record, every time.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "worker/run.h"

namespace rft::worker {

struct Evaluation {
  double value = 0;                      // of the configured metric
  std::map<std::string, double> values;  // score_mean, sub-scores, the scorer's own figures, …
};

// Of which model and split. An iteration's is the model as it was after it.
struct EvaluationKey {
  std::string split, stage;
  int64_t iteration = 0;
};

// The figures of the scored episodes of a whole split. Throws Error(invalid_argument) when `metric` is none
// of them.
Evaluation measure(Scoring& scoring, const std::string& metric,
                   const std::vector<ScoredCompletion>& episodes);

// Writes the episodes into validation.jsonl; `rescored` where they are an earlier evaluation's.
void journal_evaluation(Run& run, const EvaluationKey& key, const std::vector<ScoredCompletion>& episodes,
                        bool rescored = false);

// Evaluates `model` on `examples`, journals every episode under (split, stage), and reports the figures.
// Throws Error(invalid_argument) when the configured metric is none of them.
Evaluation evaluate(Run& run, const engine::Decoder& model, const std::vector<Example>& examples,
                    const std::string& split, const std::string& stage);

// Tells subscribers of an evaluation; `best` where it is the best.
void report_evaluation(Run& run, const EvaluationKey& key, const Evaluation& evaluation, bool best);

// The figures as metrics: `validation/score_mean`, …
std::map<std::string, double> metrics_of(const std::string& split, const Evaluation& evaluation);

// Validation and test of the policy at a stage ("base", "warmup"), unless the state already knows them.
void evaluate_once(Run& run, const std::string& stage);

// Test (or, without a test split, validation) of the exported model, read back from disk.
void evaluate_exported_model(Run& run);

}  // namespace rft::worker
