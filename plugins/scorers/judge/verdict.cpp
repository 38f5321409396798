#include "verdict.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace {

std::string number_text(double number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

std::string quoted(const std::string& text) {
  return Json(text.substr(0, kMaxQuotedBytes)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// What the message says, without what a reasoning model thought before.
std::string said_in(const Json& completion) {
  const Json& choice = completion.at("choices").at(0);
  const Json& message = choice.at("message");
  if (const auto refusal = message.find("refusal"); refusal != message.end() && refusal->is_string())
    throw std::runtime_error("the judge refuses: " + quoted(refusal->get<std::string>()));
  const std::string finish = choice.value("finish_reason", Json("stop")).is_string()
                                 ? choice.value("finish_reason", std::string("stop"))
                                 : "stop";
  if (finish == "length")
    throw std::runtime_error(
        "the judge's answer was cut off at its limit of tokens; raise max_completion_tokens in "
        "`sampling_params`");
  if (finish == "content_filter")
    throw std::runtime_error("the judge's answer was withheld by a content filter");
  std::string text = message.at("content").get<std::string>();
  constexpr std::string_view kThought = "</think>";
  if (const size_t end = text.rfind(kThought); end != std::string::npos) text.erase(0, end + kThought.size());
  text.erase(0, std::min(text.find_first_not_of(" \n"), text.size()));
  return text;
}

// The JSON object that the text is or holds; null where there is none.
Json object_in(const std::string& text) {
  const size_t begin = text.find('{');
  const size_t end = text.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return nullptr;
  Json found = Json::parse(text.substr(begin, end + 1 - begin), nullptr, /*allow_exceptions=*/false);
  return found.is_object() ? found : Json();
}

// The number that begins at `at`, and where it ends.
std::optional<double> number_at(const std::string& text, size_t& at) {
  const bool begins = is_digit(text[at]) && (at == 0 || (!is_word(text[at - 1]) && text[at - 1] != '.'));
  if (!begins) return std::nullopt;
  // A sign, and not the dash of "0-1" or of a list.
  const bool negative =
      at > 0 && text[at - 1] == '-' && (at == 1 || (!is_word(text[at - 2]) && text[at - 2] != '-'));
  const char* const first = text.c_str() + at;
  char* last = nullptr;
  const double value = std::strtod(first, &last);
  at += static_cast<size_t>(last - first);
  return negative ? -value : value;
}

// Whether the number at `at` says out of how much.
bool is_denominator(const std::string& text, size_t at) {
  while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '*')) --at;
  constexpr std::string_view kOutOf = "out of";
  return at > 0 && (text[at - 1] == '/' ||
                    (at >= kOutOf.size() && lower(text.substr(at - kOutOf.size(), kOutOf.size())) == kOutOf));
}

// The first number after the last "score" that one follows, else the last number of all.
std::optional<double> number_in(const std::string& text) {
  std::optional<double> found;
  bool after_score = false;  // whether `found` is one
  size_t score = std::string::npos;
  const std::string folded = lower(text);
  for (size_t at = 0; at < text.size(); ++at) {
    if (folded.compare(at, 5, "score") == 0) score = at;
    if (!is_digit(text[at])) continue;
    const bool counts = !is_denominator(text, at);
    const auto number = number_at(text, at);
    if (!number || !counts || (after_score && score == std::string::npos)) continue;
    found = number;
    after_score = score != std::string::npos;
    score = std::string::npos;
  }
  return found;
}

Verdict score_in(const std::string& text, const Scale& scale) {
  const Json object = object_in(text);
  if (object.is_object() && object.contains("score")) {
    Json score = object["score"];
    if (score.is_string()) score = Json::parse(score.get<std::string>(), nullptr, false);
    if (score.is_number())
      return {std::clamp(score.get<double>(), scale.low, scale.high),
              object.value("reason", Json("")).is_string() ? object.value("reason", std::string()) : ""};
  }
  const auto number = number_in(text);
  if (number && *number >= scale.low && *number <= scale.high) return {*number, text};
  throw std::runtime_error("the judge answered no " + scale.text().substr(2) + ": " + quoted(text));
}

// The text without what is around its words.
std::string bare(const std::string& text) {
  size_t begin = 0, end = text.size();
  while (begin < end && !is_word(text[begin]) && static_cast<unsigned char>(text[begin]) < 0x80) ++begin;
  while (end > begin && !is_word(text[end - 1]) && static_cast<unsigned char>(text[end - 1]) < 0x80) --end;
  return lower(text.substr(begin, end - begin));
}

// Whether the text has the label as words of its own.
bool names(const std::string& text, const std::string& label) {
  const std::string folded = lower(text), wanted = lower(label);
  for (size_t at = 0; (at = folded.find(wanted, at)) != std::string::npos; ++at) {
    const size_t end = at + wanted.size();
    if ((at == 0 || !is_word(folded[at - 1])) && (end == folded.size() || !is_word(folded[end]))) return true;
  }
  return false;
}

Verdict label_in(const std::string& text, const Scale& scale) {
  const Json object = object_in(text);
  std::string said = text, reason;
  if (object.is_object() && object.contains("label") && object["label"].is_string()) {
    said = object["label"].get<std::string>();
    if (object.contains("reason") && object["reason"].is_string())
      reason = ": " + object["reason"].get<std::string>();
  }
  std::vector<std::string> named;
  for (const std::string& label : scale.labels) {
    if (bare(label) == bare(said)) {
      named = {label};
      break;
    }
    if (names(said, label)) named.push_back(label);
  }
  if (named.size() != 1)
    throw std::runtime_error("the judge answered " +
                             std::string(named.empty() ? "no label" : "several labels") + ", and " +
                             scale.text() + " is wanted: " + quoted(text));
  const bool passes = std::count(scale.passing_labels.begin(), scale.passing_labels.end(), named[0]) > 0;
  return {passes ? 1.0 : 0.0, named[0] + reason};
}

}  // namespace

std::string Scale::text() const {
  if (!has_labels()) return "a number from " + number_text(low) + " to " + number_text(high);
  std::string all;
  for (const std::string& label : labels) all += (all.empty() ? "one of \"" : "\", \"") + label;
  return all + "\"";
}

Json Scale::schema() const {
  Json schema = {{"type", "object"}, {"properties", {{"reason", {{"type", "string"}}}}}};
  const std::string key = has_labels() ? "label" : "score";
  if (has_labels())
    schema["properties"][key] = {{"type", "string"}, {"enum", labels}};
  else
    schema["properties"][key] = {{"type", "number"}, {"description", text()}};
  schema["required"] = {"reason", key};
  schema["additionalProperties"] = false;
  return schema;
}

Verdict verdict_of(const Json& completion, const Scale& scale) {
  std::string text;
  try {
    text = said_in(completion);
  } catch (const Json::exception&) {
    throw std::runtime_error(
        "the endpoint answered no chat completion: " +
        completion.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, kMaxQuotedBytes));
  }
  return scale.has_labels() ? label_in(text, scale) : score_in(text, scale);
}
