#include <cmath>

#include "cli/commands/commands.h"
#include "cli/job_text.h"
#include "cli/paging.h"

namespace rft::cli {
namespace {

std::string prompt_text(const Json& row) {
  const auto prompt = row.find("prompt");
  if (prompt == row.end()) return "";
  return prompt->is_string() ? prompt->get<std::string>() : dump_json(*prompt);
}

std::string text_of_rollout(const Json& row, const Style& style) {
  std::string head = "iteration " + whole(whole_of(row, "iteration"));
  if (!text_of(row, "stage").empty())
    head += ", " + text_of(row, "split") + " (" + text_of(row, "stage") + ")";
  head += ", score " + number(number_of(row, "score"), 3);
  const Json sub_scores = part_of(row, "sub_scores");
  for (const auto& [name, value] : sub_scores.items())
    if (value.is_number()) head += ", " + name + " " + number(value.get<double>(), 3);
  if (const double kl = number_of(row, "kl_to_reference"); std::isfinite(kl)) head += ", kl " + number(kl, 4);
  if (row.value("valid", Json(true)) == Json(false)) head += ", not valid";
  std::string text = paint(style, Colour::bold, head) + "\n";
  text += "  prompt      " + one_line(prompt_text(row)) + "\n";
  text += "  completion  " + one_line(text_of(row, "completion")) + "\n";
  if (!text_of(row, "reason").empty()) text += "  reason      " + one_line(text_of(row, "reason")) + "\n";
  return text;
}

}  // namespace

Run define_rollouts(CLI::App& app) {
  const auto options = std::make_shared<PagingOptions>();
  const auto validation = std::make_shared<bool>(false);
  add_paging_options(app, *options);
  app.get_option("--last")->default_val(10);
  app.add_flag("--validation", *validation, "Those of the validations and tests, not of the training");
  const auto all = std::make_shared<bool>(false);
  app.add_flag("--all", *all, "From the first on");
  return [=](Session& session) {
    PagingOptions paging = *options;
    if (*all) paging.last = 0;
    return print_pages(session, "rollouts", {{"of", *validation ? "validation" : "training"}}, paging,
                       [&](const Json& page) {
                         for (const Json& row : page.at("rows")) {
                           session.out.value(row);
                           session.out.text(text_of_rollout(row, session.out.style()));
                         }
                       });
  };
}

}  // namespace rft::cli
