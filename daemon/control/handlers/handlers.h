// One function per verb, each in the file of its name. docs/protocol.md says what each takes and answers.
#pragma once

#include "control/call.h"
#include "control/context.h"

namespace rft::control {

void handle_cancel(Context& context, Call call);
void handle_doctor(Context& context, Call call);
void handle_logs(Context& context, Call call);
void handle_ls(Context& context, Call call);
void handle_metrics(Context& context, Call call);
void handle_models(Context& context, Call call);
void handle_pause(Context& context, Call call);
void handle_ping(Context& context, Call call);
void handle_plugins(Context& context, Call call);
void handle_plugins_release(Context& context, Call call);
void handle_plugins_why(Context& context, Call call);
void handle_resume(Context& context, Call call);
void handle_retry(Context& context, Call call);
void handle_rollouts(Context& context, Call call);
void handle_scorer_swap(Context& context, Call call);
void handle_show(Context& context, Call call);
void handle_snapshot(Context& context, Call call);
void handle_submit(Context& context, Call call);
void handle_why(Context& context, Call call);

// The answer to a mutation of one job: {"job": {…}} as it is after the effect.
jobs::Jobs::Done answer_with_job(const Call& call);

}  // namespace rft::control
