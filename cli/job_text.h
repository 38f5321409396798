// A job, as the daemon tells it (docs/protocol.md, "A job"), in words.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/format.h"

namespace rft::cli {

// The job that a person named; throws the daemon's Error, or Error(conflict) for a folder that is still
// settling and has no number yet.
class Client;
Json find_job(Client& client, const std::string& name);

// A member of a job, or of any object: absent, null and other types give the default.
std::string text_of(const Json& object, const char* name);
double number_of(const Json& object, const char* name);  // NaN
int64_t whole_of(const Json& object, const char* name);  // 0
bool flag_of(const Json& object, const char* name);      // false
Json part_of(const Json& object, const char* name);      // an empty object

std::string headline(const Style& style, const Json& job);  // "job 17 fraud-triage: failed, the scorer …"
// The same with every line of the reason.
std::string whole_headline(const Style& style, const Json& job);
std::string progress_cell(const Json& job);    // "iteration 12/40, rollout 75 %"
std::string validation_cell(const Json& job);  // "0.290 → 0.872"
std::string scorer_title(const Json& swap);    // "strict.py {"bonus":2}", of a swap of the scorer
// "strict.py, swapped in after iteration 12", or what is to become of a swap, or became.
std::string scorer_cell(const Json& job);
// "validation score_mean: base 0.290, warm-up 0.310, best 0.872 (iteration 30)"; empty before the first.
std::vector<std::string> validation_lines(const Json& job);
// "the daemon says: …" of a finished job: what it came to.
std::string outcome_line(const Style& style, const Json& job);

}  // namespace rft::cli
