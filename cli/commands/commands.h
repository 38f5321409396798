// One function per command, each in the file of its name.
#pragma once

#include "cli/command_table.h"

namespace rft::cli {

Run define_cancel(CLI::App& app);
Run define_completion(CLI::App& app);
Run define_doctor(CLI::App& app);
Run define_export(CLI::App& app);
Run define_fine_tunes(CLI::App& app);
Run define_logs(CLI::App& app);
Run define_ls(CLI::App& app);
Run define_metrics(CLI::App& app);
Run define_models(CLI::App& app);
Run define_pause(CLI::App& app);
Run define_plugins(CLI::App& app);
Run define_resume(CLI::App& app);
Run define_retry(CLI::App& app);
Run define_rollouts(CLI::App& app);
Run define_scorer(CLI::App& app);
Run define_show(CLI::App& app);
Run define_submit(CLI::App& app);
Run define_wait(CLI::App& app);
Run define_watch(CLI::App& app);
Run define_why(CLI::App& app);

}  // namespace rft::cli
