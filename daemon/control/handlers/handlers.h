// One function per verb, each in the file of its name. docs/protocol.md says what each takes and answers.
#pragma once

#include "control/call.h"
#include "control/context.h"

namespace rft::control {

void handle_cancel(Context& context, const Call& call);
void handle_doctor(Context& context, const Call& call);
void handle_logs(Context& context, const Call& call);
void handle_ls(Context& context, const Call& call);
void handle_metrics(Context& context, const Call& call);
void handle_models(Context& context, const Call& call);
void handle_pause(Context& context, const Call& call);
void handle_ping(Context& context, const Call& call);
void handle_plugins(Context& context, const Call& call);
void handle_plugins_release(Context& context, const Call& call);
void handle_plugins_why(Context& context, const Call& call);
void handle_resume(Context& context, const Call& call);
void handle_retry(Context& context, const Call& call);
void handle_rollouts(Context& context, const Call& call);
void handle_scorer_swap(Context& context, const Call& call);
void handle_show(Context& context, const Call& call);
void handle_snapshot(Context& context, const Call& call);
void handle_submit(Context& context, const Call& call);
void handle_why(Context& context, const Call& call);

// The answer to a mutation of one job: {"job": {…}} as it is after the effect.
jobs::Jobs::Done answer_with_job(const Call& call);

}  // namespace rft::control
