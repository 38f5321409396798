#include "cli/scorer_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "cli/job_text.h"

namespace rft::cli {
namespace {

constexpr size_t kMaxReasons = 10;
constexpr size_t kMaxSlowest = 5;
constexpr size_t kMaxErrorsShown = 5;
constexpr size_t kHistogramBins = 10;
constexpr size_t kExcerptColumns = 60;

struct Figures {
  std::vector<double> values;
  double mean() const {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }
  double min() const { return *std::ranges::min_element(values); }
  double max() const { return *std::ranges::max_element(values); }
};

double quantile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<size_t>(std::lround(share * static_cast<double>(sorted.size() - 1)))];
}

// How many scores lie in each of equal parts from the least to the greatest.
Json histogram(const std::vector<double>& sorted) {
  const double low = sorted.front(), width = (sorted.back() - low) / kHistogramBins;
  if (!(width > 0)) return Json::array({{{"from", low}, {"to", low}, {"count", sorted.size()}}});
  std::vector<size_t> counts(kHistogramBins);
  for (const double score : sorted)
    ++counts[std::min(kHistogramBins - 1, static_cast<size_t>((score - low) / width))];
  Json bins = Json::array();
  for (size_t bin = 0; bin < kHistogramBins; ++bin)
    bins.push_back({{"from", low + width * static_cast<double>(bin)},
                    {"to", low + width * static_cast<double>(bin + 1)},
                    {"count", counts[bin]}});
  return bins;
}

Json distribution(Figures scores) {
  std::ranges::sort(scores.values);
  double squares = 0;
  for (const double score : scores.values) squares += std::pow(score - scores.mean(), 2);
  return {{"mean", scores.mean()},
          {"deviation", std::sqrt(squares / static_cast<double>(scores.values.size()))},
          {"min", scores.min()},
          {"p10", quantile(scores.values, 0.1)},
          {"median", quantile(scores.values, 0.5)},
          {"p90", quantile(scores.values, 0.9)},
          {"max", scores.max()},
          {"histogram", histogram(scores.values)}};
}

Json reasons_of(const std::vector<Json>& answers) {
  std::map<std::string, Figures> by_reason;
  for (const Json& answer : answers)
    if (answer.contains("score") && answer.contains("reason"))
      by_reason[text_of(answer, "reason")].values.push_back(number_of(answer, "score"));
  std::vector<std::pair<std::string, Figures>> rows(by_reason.begin(), by_reason.end());
  std::ranges::stable_sort(rows, std::greater{}, [](const auto& row) { return row.second.values.size(); });
  Json reasons = Json::array();
  for (const auto& [reason, scores] : rows)
    reasons.push_back({{"reason", reason}, {"count", scores.values.size()}, {"mean", scores.mean()}});
  return reasons;
}

Json sub_scores_of(const std::vector<Json>& answers) {
  std::map<std::string, Figures> by_name;
  for (const Json& answer : answers) {
    const Json parts = part_of(answer, "sub_scores");
    for (const auto& [name, value] : parts.items()) by_name[name].values.push_back(value.get<double>());
  }
  Json rows = Json::array();
  for (const auto& [name, figures] : by_name)
    rows.push_back({{"name", name},
                    {"count", figures.values.size()},
                    {"mean", figures.mean()},
                    {"min", figures.min()},
                    {"max", figures.max()}});
  return rows;
}

Json slowest_of(const std::vector<Json>& episodes, const std::vector<Json>& answers) {
  std::vector<size_t> order(answers.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater{}, [&](size_t i) { return number_of(answers[i], "seconds"); });
  order.resize(std::min(order.size(), kMaxSlowest));
  Json rows = Json::array();
  for (const size_t i : order)
    rows.push_back({{"episode", i},
                    {"seconds", number_of(answers[i], "seconds")},
                    {"completion", text_of(episodes[i], "completion")}});
  return rows;
}

Json errors_of(const std::vector<Json>& answers) {
  Json errors = Json::array();
  for (size_t i = 0; i < answers.size(); ++i)
    if (answers[i].contains("error"))
      errors.push_back({{"episode", i},
                        {"failure", text_of(answers[i], "failure")},
                        {"message", text_of(answers[i], "error")}});
  return errors;
}

std::string many(size_t count, const std::string& of) {
  return std::to_string(count) + " of " + of + (count == 1 ? " has" : " have");
}

Json warnings_of(const std::vector<Json>& answers, const Figures& scores, const ScoreRange& range) {
  Json warnings = Json::array();
  const std::string all = std::to_string(scores.values.size()) + " scores";
  if (scores.values.size() > 1 && scores.min() == scores.max())
    warnings.push_back("every score is " + number(scores.min(), 4) +
                       ": nothing can be learned from a constant");
  const auto outside = static_cast<size_t>(
      std::ranges::count_if(scores.values, [&](double s) { return s < range.low || s > range.high; }));
  if (outside > 0)
    warnings.push_back("out of range: " + std::to_string(outside) + " of " + all + " lie outside " +
                       number(range.low, 2) + " to " + number(range.high, 2) +
                       " (--range says what is meant)");
  std::vector<size_t> differ;
  for (size_t i = 0; i < answers.size(); ++i)
    if (answers[i].contains("score") && answers[i].contains("again") &&
        answers[i]["again"] != answers[i]["score"])
      differ.push_back(i);
  if (!differ.empty()) {
    const Json& first = answers[differ.front()];
    const Json again = first.value("again", Json());
    warnings.push_back("two calls disagree: " + many(differ.size(), all) +
                       " another value when the same episode comes again in a batch (episode " +
                       std::to_string(differ.front()) + ": " + dump_json(first["score"]) + ", then " +
                       (again.is_null() ? "none" : dump_json(again)) + ")");
  }
  return warnings;
}

std::string distribution_text(const Style& style, const Json& score) {
  Table table({"MEAN", "DEVIATION", "MIN", "P10", "MEDIAN", "P90", "MAX"}, {0, 1, 2, 3, 4, 5, 6});
  std::vector<std::string> cells;
  for (const char* name : {"mean", "deviation", "min", "p10", "median", "p90", "max"})
    cells.push_back(number(number_of(score, name), 4));
  table.add(std::move(cells));
  std::string text = table.text(style);
  double most = 1;
  for (const Json& bin : score.at("histogram")) most = std::max(most, number_of(bin, "count"));
  for (const Json& bin : score.at("histogram"))
    text += "  " + number(number_of(bin, "from"), 3) + " … " + number(number_of(bin, "to"), 3) + "  " +
            bar(number_of(bin, "count") / most, 30) + " " + whole(whole_of(bin, "count")) + "\n";
  return text;
}

}  // namespace

Json scorer_report(const std::vector<Json>& episodes, const std::vector<Json>& answers,
                   const ScoreRange& range) {
  Figures scores;
  size_t valid = 0;
  for (const Json& answer : answers) {
    if (answer.contains("score")) scores.values.push_back(number_of(answer, "score"));
    valid += answer.contains("score") && flag_of(answer, "valid") ? 1 : 0;
  }
  Json report = {{"episodes", answers.size()}, {"scored", scores.values.size()}, {"valid", valid}};
  report["score"] = scores.values.empty() ? Json() : distribution(scores);
  report["reasons"] = reasons_of(answers);
  report["sub_scores"] = sub_scores_of(answers);
  report["slowest"] = slowest_of(episodes, answers);
  report["errors"] = errors_of(answers);
  report["warnings"] = warnings_of(answers, scores, range);
  return report;
}

std::string report_text(const Style& style, const Json& report) {
  std::string text = whole(whole_of(report, "scored")) + " of " + whole(whole_of(report, "episodes")) +
                     " scored, " + whole(whole_of(report, "valid")) + " of them valid in form\n";
  if (!report.at("score").is_null()) text += "\n" + distribution_text(style, report.at("score"));
  Table reasons({"COUNT", "MEAN", "REASON"}, {0, 1});
  for (const Json& row : report.at("reasons")) {
    if (&row - &report.at("reasons").front() == static_cast<std::ptrdiff_t>(kMaxReasons)) break;
    reasons.add(
        {whole(whole_of(row, "count")), number(number_of(row, "mean"), 3), one_line(text_of(row, "reason"))});
  }
  if (!reasons.empty()) text += "\n" + reasons.text(style);
  Table parts({"COUNT", "MEAN", "MIN", "MAX", "SUB-SCORE"}, {0, 1, 2, 3});
  for (const Json& row : report.at("sub_scores"))
    parts.add({whole(whole_of(row, "count")), number(number_of(row, "mean"), 3),
               number(number_of(row, "min"), 3), number(number_of(row, "max"), 3),
               one_line(text_of(row, "name"))});
  if (!parts.empty()) text += "\n" + parts.text(style);
  Table slowest({"SECONDS", "EPISODE", "SLOWEST CALLS"}, {0, 1});
  for (const Json& row : report.at("slowest"))
    slowest.add({number(number_of(row, "seconds"), 6), whole(whole_of(row, "episode")),
                 cut(one_line(text_of(row, "completion")), kExcerptColumns)});
  text += "\n" + slowest.text(style);
  size_t shown = 0;
  for (const Json& row : report.at("errors")) {
    if (++shown > kMaxErrorsShown) break;
    text += paint(style, Colour::red, "error") + ": " +
            (row.at("episode").is_null() ? "" : "episode " + whole(whole_of(row, "episode")) + ", ") +
            text_of(row, "failure") + ": " + indented(text_of(row, "message")) + "\n";
  }
  if (const size_t all = report.at("errors").size(); all > kMaxErrorsShown)
    text += "… and " + std::to_string(all - kMaxErrorsShown) + " more errors\n";
  for (const Json& warning : report.at("warnings"))
    text += paint(style, Colour::yellow, "warning") + ": " + one_line(warning.get<std::string>()) + "\n";
  return text;
}

}  // namespace rft::cli
