#include <unistd.h>

#include "base/temporary_folder.h"
#include "cli/commands/commands.h"
#include "cli/follow.h"
#include "cli/home.h"
#include "cli/job_folder_builder.h"
#include "cli/job_text.h"
#include "cli/submission.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;

struct CreateOptions {
  JobFiles files;
  std::string train, validation, test, grader;
  std::string from_job;
  bool follow = false;
};

// The best model of a finished job, to go on from.
std::string model_of_job(Client& client, const std::string& job) {
  const Json found = find_job(client, job);
  const fs::path model = fs::path(text_of(found, "folder")) / "model";
  if (fs::is_directory(model)) return model;
  throw Error(ErrorCode::conflict,
              "job " + job + " has no model to go on from yet, its state is " + text_of(found, "state"),
              "--from-job");
}

int create_job(CreateOptions options, Session& session) {
  JobFiles& files = options.files;
  require_daemon(session.client.home());
  files.train = options.train;
  files.validation = options.validation;
  files.test = options.test;
  files.grader = options.grader;
  if (!options.from_job.empty()) files.model = model_of_job(session.client, options.from_job);
  // There for as long as the daemon copies it, below a name that it does not take by itself: the folder is
  // submitted once it is whole.
  const TemporaryFolder building(session.client.home() / "incoming" / (".tmp-" + std::to_string(::getpid())));
  const fs::path folder = building.path() / job_name(files);
  build_job_folder(files, folder);
  const int64_t job = whole_of(submit_folder(session.client, folder), "id");
  if (!options.follow) return report_submission(session, checked_job(session.client, job));
  return follow_job(session, job);
}

}  // namespace

Run define_fine_tunes(CLI::App& app) {
  const auto options = std::make_shared<CreateOptions>();
  JobFiles& files = options->files;
  app.require_subcommand(1);
  CLI::App* const part =
      add_part(app, "create", "Make a job from a training file, a model and a scorer",
               "rftctl fine-tunes create -t train.jsonl -v valid.jsonl --model tiny --learning-rate 5e-5 "
               "--n_epochs 4 --reward-model scorer.py --follow");
  part->add_option("-t,--training-file,--training_file", options->train, "JSONL of prompts to train on")
      ->required()
      ->type_name("FILE");
  part->add_option("-v,--validation-file,--validation_file", options->validation,
                   "JSONL to validate on (default: a tenth of the training file)")
      ->type_name("FILE");
  part->add_option("--test-file", options->test, "JSONL to test the base and the exported model on")
      ->type_name("FILE");
  CLI::Option* const model = part->add_option("-m,--model", files.model,
                                              "A name under HOME/models, or a Hugging Face model directory")
                                 ->type_name("MODEL");
  CLI::Option* const from_job = part->add_option("--from-job,--from_job", options->from_job,
                                                 "Go on from the best model of this job instead")
                                    ->type_name("JOB")
                                    ->excludes(model);
  CLI::Option* const scorer =
      part->add_option("--reward-model,--reward_model", files.scorer,
                       "The scorer: a .py or .so file, an executable, or the name of a registered one")
          ->type_name("SCORER");
  CLI::Option* const grader = part->add_option("--grader", options->grader,
                                               "A grader of OpenAI's fine-tuning API, a JSON file, instead")
                                  ->type_name("FILE")
                                  ->excludes(scorer);
  part->add_option("--learning-rate,--learning_rate", files.learning_rate, "Such as 5e-5")
      ->check(above_zero());
  part->add_option("--n_epochs,--n-epochs", files.epochs, "Passes over the training file")
      ->check(above_zero());
  part->add_option("--seed", files.seed, "Of everything random");
  part->add_option("--suffix", files.name, "The job's name (default: the training file's)");
  part->add_option("--set", files.settings, "Any other key of job.toml, such as rollout.max_new_tokens=16")
      ->type_name("SECTION.KEY=VALUE")
      ->take_all()
      ->expected(1);
  part->add_flag("--follow", options->follow, "Watch the job until it has finished");
  part->callback([model, from_job, scorer, grader] {
    if (scorer->empty() && grader->empty()) throw CLI::RequiredError("--reward-model or --grader");
    if (model->empty() && from_job->empty()) throw CLI::RequiredError("--model or --from-job");
  });
  return [options](Session& session) { return create_job(*options, session); };
}

}  // namespace rft::cli
