#include "control/handlers/handlers.h"

namespace rft::control {

jobs::Jobs::Done answer_with_job(const Call& call) {
  return [call](const jobs::Jobs::Answer& answer) {
    if (answer.error)
      call.fail(*answer.error);
    else
      call.reply({{"job", to_json(answer.job)}});
  };
}

}  // namespace rft::control
