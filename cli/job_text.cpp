#include "cli/job_text.h"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "cli/client.h"

namespace rft::cli {
namespace {

// The stages of a validation in the order in which a job goes through them.
constexpr std::array<std::pair<const char*, const char*>, 4> kStages = {
    {{"base", "base"}, {"warmup", "warm-up"}, {"epoch", "last epoch"}, {"final", "exported model"}}};

// "job 17 fraud-triage: running"
std::string state_line(const Style& style, const Json& job) {
  const std::string state = text_of(job, "state");
  const int64_t id = whole_of(job, "id");  // 0 of a folder that is still settling
  std::string line = (id > 0 ? "job " + whole(id) + " " : "") + one_line(text_of(job, "name")) + ": " +
                     paint(style, colour_of_state(state), state);
  if (whole_of(job, "attempt") > 1) line += " (attempt " + whole(whole_of(job, "attempt")) + ")";
  return line;
}

std::string after_comma(const std::string& text) { return text.empty() ? "" : ", " + text; }

}  // namespace

Json find_job(Client& client, const std::string& name) {
  Json found = client.ask("show", {{"job", name}}).at("job");
  if (whole_of(found, "id") > 0) return found;
  throw Error(ErrorCode::conflict,
              name + " is still settling and has no number yet; try again in a moment, or add a file READY");
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

double number_of(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_number() ? found->get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
}

int64_t whole_of(const Json& object, const char* name) {
  const double value = number_of(object, name);
  return std::isfinite(value) ? static_cast<int64_t>(value) : 0;
}

bool flag_of(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && *found == Json(true);
}

Json part_of(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_object() ? *found : Json::object();
}

std::string headline(const Style& style, const Json& job) {
  return state_line(style, job) + after_comma(first_line(text_of(job, "reason")));
}

std::string whole_headline(const Style& style, const Json& job) {
  return state_line(style, job) + after_comma(indented(text_of(job, "reason")));
}

std::string progress_cell(const Json& job) {
  const Json progress = part_of(job, "progress");
  if (progress.empty() || text_of(job, "state") != "running") return "";
  std::string text;
  if (whole_of(progress, "iteration") > 0)
    text = "iteration " + whole(whole_of(progress, "iteration")) + "/" +
           whole(whole_of(progress, "num_iterations")) + ", ";
  const double share = number_of(progress, "done") / number_of(progress, "total");
  return text + text_of(progress, "phase") +
         (std::isfinite(share) ? " " + number(100 * share, 0) + " %" : "");
}

std::string validation_cell(const Json& job) {
  const Json validation = part_of(job, "validation");
  double first = std::numeric_limits<double>::quiet_NaN();
  for (const char* stage : {"warmup/validation", "base/validation"})
    if (std::isnan(first)) first = number_of(part_of(validation, stage), "value");
  double last = number_of(part_of(validation, "best"), "value");
  if (std::isnan(last)) last = number_of(part_of(validation, "epoch/validation"), "value");
  if (std::isnan(first)) return "";
  return std::isnan(last) ? number(first, 3) : number(first, 3) + " → " + number(last, 3);
}

std::string scorer_title(const Json& swap) {
  const Json options = part_of(swap, "options");
  return text_of(swap, "scorer") + (options.empty() ? "" : " " + one_line(dump_json(options)));
}

std::string scorer_cell(const Json& job) {
  const std::string scorer = text_of(job, "scorer");
  const Json swap = part_of(job, "scorer_swap");
  const std::string state = text_of(swap, "state"), other = scorer_title(swap);
  if (state == "pending") return scorer + ", to be swapped for " + other + " before the next iteration";
  if (state == "taken") return other + ", swapped in after iteration " + whole(whole_of(swap, "iteration"));
  if (state == "refused")
    return scorer + "; the swap for " + other + " was refused: " + indented(text_of(swap, "reason"));
  return scorer;
}

std::vector<std::string> validation_lines(const Json& job) {
  const Json validation = part_of(job, "validation");
  std::vector<std::string> lines;
  for (const char* split : {"validation", "test"}) {
    std::string line;
    const auto add = [&](const std::string& name, const Json& message, bool with_iteration) {
      if (message.empty()) return;
      if (line.empty())
        line = std::string(split) + " " + text_of(message, "metric") + ": ";
      else
        line += ", ";
      line += name + " " + number(number_of(message, "value"), 3);
      if (with_iteration) line += " (iteration " + whole(whole_of(message, "iteration")) + ")";
    };
    for (const auto& [stage, name] : kStages)
      add(name, part_of(validation, (std::string(stage) + "/" + split).c_str()), false);
    const Json best = part_of(validation, "best");
    if (text_of(best, "split") == split) add("best", best, true);
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

std::string outcome_line(const Style& style, const Json& job) {
  std::string line = state_line(style, job);
  const int64_t started = seconds_of(text_of(job, "started_at")),
                ended = seconds_of(text_of(job, "finished_at"));
  if (started > 0 && ended >= started)
    line += ", after " + duration_text(static_cast<double>(ended - started));
  line += after_comma(indented(text_of(job, "reason")));
  if (text_of(job, "state") == "succeeded")
    line += "; take the model with: rftctl export " + whole(whole_of(job, "id")) + " DIR";
  return line;
}

}  // namespace rft::cli
