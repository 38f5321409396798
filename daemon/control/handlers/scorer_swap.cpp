#include "base/error.h"
#include "control/handlers/handlers.h"

namespace rft::control {

void handle_scorer_swap(Context& context, const Call& call) {
  const Args& args = call.args();
  jobs::ScorerChoice choice;
  choice.plugin = args.text_or("scorer", "");
  choice.file = args.text_or("file", "");
  choice.options = args.object("options");
  choice.settings = args.text_or("settings", "");
  if (choice.plugin.empty() == choice.file.empty())
    throw Error(ErrorCode::invalid_argument,
                "name the new scorer as \"scorer\", or give the absolute path of its file as \"file\"",
                "scorer");
  if (!choice.file.empty() && !choice.file.is_absolute())
    throw Error(
        ErrorCode::invalid_argument,
        choice.file.string() + ": must be an absolute path; the daemon has a working directory of its own",
        "file");
  context.jobs.swap_scorer(args.job(), choice, call.id(), answer_with_job(call));
}

}  // namespace rft::control
