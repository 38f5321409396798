// rft-worker: runs one job (train), answers questions about a model (inspect), makes a small one (new-model).
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "worker/attempt.h"
#include "worker/inspect.h"
#include "worker/new_model.h"

namespace {

using namespace rft::worker;

CLI::App* add_train(CLI::App& app, AttemptOptions& options) {
  CLI::App* train = app.add_subcommand("train", "Run the job in a folder that holds plan.toml and data/");
  train->add_option("JOB_DIR", options.job_folder)->required()->check(CLI::ExistingDirectory);
  train->add_option("--socket", options.socket,
                    "The daemon's worker.sock; its token is in RFTD_WORKER_TOKEN");
  train->add_option("--attempt", options.attempt, "Number of this attempt")->check(CLI::PositiveNumber);
  train->add_option("--threads", options.threads, "Threads of the computation (default: all cores)")
      ->check(CLI::NonNegativeNumber);
  train->add_option("--rank", options.rank)->group("");  // for the processes that the first rank starts
  train->add_option("--device", options.device, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  train->footer(
      "Exit codes: 0 succeeded, or stopped or paused with a resume point written; 1 failed; 75 another "
      "attempt is alive.");
  return train;
}

CLI::App* add_inspect(CLI::App& app, InspectOptions& options) {
  CLI::App* inspect = app.add_subcommand("inspect", "Answer questions about a model, one JSON object a line");
  inspect->add_option("VERB", options.verb, "summary, logits, generate, encode, decode or render")
      ->required();
  inspect->add_option("MODEL_DIR", options.model_dir)->required()->check(CLI::ExistingDirectory);
  inspect
      ->add_option("--adapter", options.adapter_dir,
                   "A PEFT LoRA adapter of the model, for logits and generate")
      ->check(CLI::ExistingDirectory);
  inspect->add_option("--dtype", options.dtype, "Of the computation")
      ->check(CLI::IsMember({"auto", "float32", "bfloat16"}))
      ->capture_default_str();
  inspect->add_option("--device", options.device)
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  inspect->footer("Example: echo '{\"ids\":[1,2,3]}' | rft-worker inspect logits models/tiny");
  return inspect;
}

CLI::App* add_new_model(CLI::App& app, NewModelOptions& options) {
  CLI::App* make = app.add_subcommand("new-model", "Make a small model with random weights");
  make->add_option("--recipe", options.recipe)->capture_default_str();
  make->add_option("--from", options.from, "JSONL whose strings train the tokenizer")
      ->required()
      ->check(CLI::ExistingFile);
  make->add_option("--out", options.out, "The folder to make")->required();
  make->add_option("--seed", options.seed)->capture_default_str();
  const auto size = [&](const char* name, int64_t& value, const char* meaning) {
    make->add_option(name, value, meaning)->check(CLI::PositiveNumber)->capture_default_str();
  };
  size("--vocabulary", options.vocabulary, "Tokens at most");
  size("--layers", options.layers, "Decoder layers");
  size("--hidden", options.hidden, "Width");
  size("--heads", options.heads, "Attention heads");
  size("--kv-heads", options.kv_heads, "Key and value heads");
  size("--max-positions", options.max_positions, "Longest sequence, in tokens");
  return make;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The training side of rftd. People use it through rftctl.", "rft-worker");
  app.set_version_flag("--version", "rft-worker " RFT_VERSION);
  app.require_subcommand(1);
  AttemptOptions attempt;
  InspectOptions inspection;
  NewModelOptions new_model;
  const CLI::App* train = add_train(app, attempt);
  const CLI::App* inspect_verb = add_inspect(app, inspection);
  add_new_model(app, new_model);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    if (train->parsed()) return run_attempt(attempt);
    if (inspect_verb->parsed())
      inspect(inspection, std::cin, std::cout);
    else
      make_model(new_model);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "rft-worker: " << error.what() << "\n";
    return 1;
  }
}
