#include "plugins/host/program_conformance.h"

#include <span>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/temporary_folder.h"
#include "plugins/adapter.h"
#include "plugins/host/samples.h"
#include "plugins/scorer_host.h"

namespace rft::plugins::host {
namespace fs = std::filesystem;
namespace {

struct ProgramTrial {
  const HostOptions& options;
  const fs::path& data;

  std::vector<ScoreRequest> requests() const {
    std::vector<ScoreRequest> requests;
    for (const Sample& sample : samples_of(data))
      requests.push_back({.prompt = sample.prompt,
                          .completion = sample.completion,
                          .record_json = sample.record,
                          .finish_reason = "eos"});
    return requests;
  }
  // A refusal of made-up records is the author's right.
  [[noreturn]] void refuse(const std::string& why) const {
    if (data.empty()) throw Skipped("it refuses made-up records (" + why + "); give --data");
    throw Error(ErrorCode::plugin, why);
  }
};

std::vector<double> scores_of(const ProgramTrial& trial, ScorerHost& scorer,
                              std::span<const ScoreRequest> requests) {
  std::vector<double> scores;
  const auto results = scorer.score(requests);
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i].score) trial.refuse(scorer.failure_of(requests[i], results[i]).what());
    scores.push_back(*results[i].score);
  }
  return scores;
}

void check_scorer_loads(const ProgramTrial& trial) { const ScorerHost scorer(trial.options); }

void check_scores(const ProgramTrial& trial) {
  ScorerHost scorer(trial.options);
  scores_of(trial, scorer, trial.requests());
}

void check_scripts_large_batch(const ProgramTrial& trial) {
  ScorerHost scorer(trial.options);
  const auto requests = trial.requests();
  std::vector<ScoreRequest> many;
  for (size_t i = 0; i < kEpisodesPerBatch; ++i) many.push_back(requests[i % requests.size()]);
  many.back().completion = std::string(kHugeText, 'a');
  scores_of(trial, scorer, many);
}

void check_scripts_unicode(const ProgramTrial& trial) {
  ScorerHost scorer(trial.options);
  auto requests = trial.requests();
  scores_of(trial, scorer, requests);  // what it refuses of plain text says nothing of this
  for (const std::string& text : texts_in_many_scripts()) {
    requests.front().completion = text;
    const auto result = scorer.score({requests.data(), 1}).front();
    if (!result.score)
      throw Error(ErrorCode::plugin,
                  "it fails for the completion " + dump_json(Json(text)) + ": " + result.error);
  }
}

// In one batch, then each alone from the last to the first, by another process.
void check_same_scores(const ProgramTrial& trial) {
  const auto requests = trial.requests();
  ScorerHost first(trial.options), second(trial.options);
  const auto scores = scores_of(trial, first, requests);
  for (size_t i = requests.size(); i-- > 0;)
    if (scores_of(trial, second, {&requests[i], 1}).front() != scores[i])
      throw Error(ErrorCode::plugin,
                  "record " + std::to_string(i) + " gets another score alone than in a batch");
}

std::string lines_of(const std::vector<Sample>& samples) {
  std::string lines;
  for (const Sample& sample : samples) lines += sample.record + "\n";
  return lines;
}

// What the adapter makes of the records, or of the file, as lines.
std::string convert_samples(const ProgramTrial& trial) {
  const TemporaryFolder folder = TemporaryFolder::in_tmp();
  const fs::path records = folder.path() / "records.jsonl", made = folder.path() / "made.jsonl";
  try {
    DatasetAdapter adapter(trial.options);
    if (adapter.reads_files() && trial.data.empty())
      throw Skipped("it reads files of a form of its own: give one with --data");
    if (!adapter.reads_files()) write_file_atomically(records, lines_of(samples_of(trial.data)));
    adapter.convert(adapter.reads_files() ? trial.data : records, made);
    return read_file(made);
  } catch (const PluginError&) {
    throw;
  } catch (const Error& error) {
    trial.refuse(error.what());
  }
}

void check_converts(const ProgramTrial& trial) { convert_samples(trial); }

void check_same_examples(const ProgramTrial& trial) {
  if (convert_samples(trial) != convert_samples(trial))
    throw Error(ErrorCode::plugin, "the same records become other examples the second time");
}

struct ProgramCheck {
  const char* name;
  const char* rule;
  void (*run)(const ProgramTrial&);
};
constexpr ProgramCheck kScorerChecks[] = {
    {"loads", "docs/scorers.md, Python", check_scorer_loads},
    {"scores", "docs/scorers.md, What a scorer sees", check_scores},
    {"large batch", "docs/scorers.md, What can go wrong", check_scripts_large_batch},
    {"unicode", "docs/scorers.md, What a scorer sees", check_scripts_unicode},
    {"determinism", "docs/sdk.md, Rules that matter", check_same_scores},
};
constexpr ProgramCheck kAdapterChecks[] = {
    {"converts", "docs/adapters.md, One of your own", check_converts},
    {"determinism", "docs/sdk.md, Rules that matter", check_same_examples},
};

Json program_verdict(const ProgramCheck& check, const ProgramTrial& trial) {
  const auto row = [&](const char* verdict, const std::string& detail) -> Json {
    return {{"check", check.name}, {"verdict", verdict}, {"detail", detail}, {"rule", check.rule}};
  };
  try {
    check.run(trial);
    return row("ok", "");
  } catch (const Skipped& why) {
    return row("skipped", why.what());
  } catch (const Error& error) {
    return row("failed", error.what());
  }
}

}  // namespace

Json check_program(const HostOptions& options, const std::string& role, const fs::path& data) {
  Json rows = Json::array();
  const ProgramTrial trial{options, data};
  if (role == "dataset-adapter")
    for (const ProgramCheck& check : kAdapterChecks) rows.push_back(program_verdict(check, trial));
  else
    for (const ProgramCheck& check : kScorerChecks) rows.push_back(program_verdict(check, trial));
  return rows;
}

}  // namespace rft::plugins::host
