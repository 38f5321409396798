#include <algorithm>
#include <cmath>
#include <set>

#include "base/nearest.h"
#include "cli/commands/commands.h"
#include "cli/job_text.h"
#include "cli/paging.h"

namespace rft::cli {
namespace {

struct MetricsOptions {
  PagingOptions paging;
  std::vector<std::string> names;
  std::string chart;
};

// What is shown unless names are given; a row shows those that it has.
const std::vector<std::string> kUsual = {"rollout/score_mean",        "rollout/completion_length",
                                         "objective/kl_to_reference", "policy/entropy",
                                         "policy/clip_fraction",      "loss/value"};

// Four digits of what is small, whole numbers of what is large.
std::string figure(double value) { return number(value, std::abs(value) < 100 ? 4 : 1); }

// Figures of a validation stand in rows of their own: one line for them.
std::string other_line(const Json& row) {
  std::string line;
  for (const auto& [name, value] : row.items())
    if (value.is_number() && name.find('/') != std::string::npos)
      line += "  " + name + " " + figure(value.get<double>());
  return line;
}

bool is_training_row(const Json& row) { return row.contains("rollout/score_mean"); }

// The figures of the rows that were read.
class FigureNames {
 public:
  void add(const Json& row) {
    for (const auto& [name, value] : row.items())
      if (value.is_number()) names_.insert(name);
  }
  // Throws Error(not_found) for one that no row has.
  void require(const std::string& name, const std::string& job) const {
    if (names_.contains(name)) return;
    throw Error(ErrorCode::not_found,
                "job " + job + " has no figures \"" + name + "\" yet" + advice(name, job));
  }

 private:
  std::string advice(const std::string& name, const std::string& job) const {
    std::string of_groups;
    for (const std::string& known : names_)
      if (known.ends_with("/" + name)) of_groups += (of_groups.empty() ? "" : ", ") + known;
    if (!of_groups.empty()) return "; there is: " + of_groups;
    const std::string near = did_you_mean(name, std::vector<std::string>(names_.begin(), names_.end()));
    return near.empty() ? "; the names that it has are in: rftctl metrics " + job + " --json" : near;
  }

  std::set<std::string> names_;
};

int print_chart(const MetricsOptions& options, Session& session) {
  std::vector<double> values;
  FigureNames known;
  print_pages(session, "metrics", Json::object(), options.paging, [&](const Json& page) {
    for (const Json& row : page.at("rows")) {
      known.add(row);
      if (const double value = number_of(row, options.chart.c_str()); std::isfinite(value))
        values.push_back(value);
    }
  });
  known.require(options.chart, options.paging.job);
  session.out.value({{"name", options.chart}, {"values", values}});
  const auto width = static_cast<size_t>(std::max(20, session.out.style().width - 12));
  session.out.line(options.chart + ", by iteration (now " + figure(values.back()) + ")");
  for (const std::string& line : chart(values, width, 10)) session.out.line(line);
  return kOk;
}

// Of the figures that were asked for, those rows that have one.
bool is_wanted(const Json& row, const std::vector<std::string>& asked) {
  return asked.empty() ||
         std::ranges::any_of(asked, [&](const std::string& name) { return row.contains(name); });
}

int print_rows(const MetricsOptions& options, Session& session) {
  const std::vector<std::string>& names = options.names.empty() ? kUsual : options.names;
  bool header = true;
  FigureNames known;
  print_pages(session, "metrics", Json::object(), options.paging, [&](const Json& page) {
    for (const Json& row : page.at("rows")) {
      known.add(row);
      if (!is_wanted(row, options.names)) continue;
      session.out.value(row);
      const std::string iteration = whole(whole_of(row, "iteration"));
      if (options.names.empty() && !is_training_row(row)) {
        session.out.line(std::string(9 - std::min<size_t>(9, iteration.size()), ' ') + iteration +
                         other_line(row));
        continue;
      }
      // One width for a column, whatever comes: rows may follow for hours.
      std::string head = "iteration",
                  line = std::string(9 - std::min<size_t>(9, iteration.size()), ' ') + iteration;
      for (const std::string& name : names) {
        const std::string value = figure(number_of(row, name.c_str()));
        head += "  " + name;
        line += "  " + std::string(name.size() - std::min(name.size(), value.size()), ' ') + value;
      }
      if (std::exchange(header, false)) session.out.line(paint(session.out.style(), Colour::bold, head));
      session.out.line(line);
    }
  });
  for (const std::string& name : options.names) known.require(name, options.paging.job);
  return kOk;
}

}  // namespace

Run define_metrics(CLI::App& app) {
  const auto options = std::make_shared<MetricsOptions>();
  add_paging_options(app, options->paging);
  app.add_option("--name", options->names, "A figure to show, such as policy/entropy; may be repeated")
      ->take_all()
      ->expected(1);
  app.add_option("--chart", options->chart, "Draw one figure, such as rollout/score_mean")
      ->excludes("--name")
      ->excludes("--follow");
  return [options](Session& session) {
    return options->chart.empty() ? print_rows(*options, session) : print_chart(*options, session);
  };
}

}  // namespace rft::cli
