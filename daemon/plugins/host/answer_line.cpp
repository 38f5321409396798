#include "plugins/host/answer_line.h"

#include <cctype>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "base/json.h"
#include "plugins/host/plugin.h"

namespace rft::plugins::host {
namespace {

constexpr size_t kMaxQuotedBytes = 200;

[[noreturn]] void refuse(const std::string& line, const std::string& why, const char* wanted = "score") {
  throw PluginError(PluginFailure::protocol, std::string("it answered a line that is no ") + wanted + ": " +
                                                 why + ": " +
                                                 dump_json(Json(line.substr(0, kMaxQuotedBytes))));
}

// NaN and the infinities as words outside of strings, which JSON does not know, become strings.
std::string quote_non_finite(const std::string& line) {
  std::string out;
  bool in_string = false;
  for (size_t i = 0; i < line.size();) {
    const char c = line[i];
    if (in_string && c == '\\') {
      out.append(line, i, 2);
      i += 2;
      continue;
    }
    if (c == '"') in_string = !in_string;
    size_t end = i;
    while (!in_string && end < line.size() &&
           (std::isalpha(static_cast<unsigned char>(line[end])) || line[end] == '-'))
      ++end;
    const std::string word = line.substr(i, end - i);
    if (end == i) {
      out += line[i++];
      continue;
    }
    const bool is_json = word == "true" || word == "false" || word == "null" || word == "-";
    out += is_json || word == "e" || word == "E" || word == "e-" || word == "E-" ? word : "\"" + word + "\"";
    i = end;
  }
  return out;
}

// The value of a number, also of one that JSON cannot write.
std::optional<double> number_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
  if (!value.is_string()) return std::nullopt;
  std::string word;
  for (const char c : value.get<std::string>())
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const double sign = !word.empty() && word[0] == '-' ? -1 : 1;
  if (sign < 0) word.erase(0, 1);
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (word == "inf" || word == "infinity") return sign * std::numeric_limits<double>::infinity();
  return std::nullopt;
}

Json parse_line(const std::string& line) {
  try {
    return parse_json(line, "the line");
  } catch (const Error&) {
    // Falls through: the common reason is a number that is not finite.
  }
  try {
    return parse_json(quote_non_finite(line), "the line");
  } catch (const Error& error) {
    refuse(line, "not valid JSON");
  }
}

wire::EpisodeResult not_finite(const std::string& what, double value) {
  wire::EpisodeResult answer{wire::Outcome::not_finite, {}};
  answer.result.error = not_finite_text(what, value);
  return answer;
}

// Text of a member that may be absent or null.
std::string text_of(const Json& answer, const char* key, const std::string& line) {
  const auto found = answer.find(key);
  if (found == answer.end() || found->is_null()) return "";
  if (!found->is_string()) refuse(line, std::string("\"") + key + "\" is no string");
  return found->get<std::string>();
}

void refuse_batch_error(const Json& answer, const std::string& line) {
  if (answer.is_object() && answer.contains("batch_error"))
    throw PluginError(PluginFailure::threw, text_of(answer, "batch_error", line));
}

wire::EpisodeResult parse_object(const Json& answer, const std::string& line) {
  refuse_batch_error(answer, line);
  wire::EpisodeResult parsed;
  ScoreResult& result = parsed.result;
  result.reason = text_of(answer, "reason", line);
  if (const auto valid = answer.find("valid"); valid != answer.end()) {
    if (!valid->is_boolean()) refuse(line, "\"valid\" is neither true nor false");
    result.valid = valid->get<bool>();
  }
  if (const std::string error = text_of(answer, "error", line); !error.empty()) {
    parsed.outcome = wire::Outcome::failed;
    result.error = error;
    return parsed;
  }
  const auto score = answer.find("score");
  if (score == answer.end() || score->is_null()) return parsed;
  const auto value = number_of(*score);
  if (!value) refuse(line, "\"score\" is no number");
  if (!std::isfinite(*value)) return not_finite("its score", *value);

  if (const auto parts = answer.find("sub_scores"); parts != answer.end() && !parts->is_null()) {
    if (!parts->is_object()) refuse(line, "\"sub_scores\" is no object");
    for (const auto& [name, part] : parts->items()) {
      const auto number = number_of(part);
      if (!number) refuse(line, "the sub-score \"" + name + "\" is no number");
      if (!std::isfinite(*number)) return not_finite("its sub-score \"" + name + "\"", *number);
      result.sub_scores.emplace_back(name, *number);
    }
  }
  parsed.outcome = wire::Outcome::scored;
  result.score = *value;
  return parsed;
}

wire::Example parse_example(const Json& answer, const std::string& line) {
  const auto fail = [&](const char* why) { refuse(line, why, "example"); };
  if (!answer.is_object()) fail("no object");
  wire::Example example;
  const Json prompt = answer.value("prompt", Json());
  example.is_messages = prompt.is_array();
  if (!prompt.is_string() && !prompt.is_array())
    fail("\"prompt\" is neither a string nor a list of messages");
  example.prompt = prompt.is_string() ? prompt.get<std::string>() : dump_json(prompt);
  if (const Json output = answer.value("output", Json()); !output.is_null()) {
    if (!output.is_string()) fail("\"output\" is no string");
    example.output = output.get<std::string>();
  }
  if (const Json record = answer.value("record", Json()); !record.is_null()) {
    if (!record.is_object()) fail("\"record\" is no object");
    example.record = dump_json(record);
  }
  return example;
}

}  // namespace

wire::Conversion parse_conversion(const std::string& line) {
  const Json answer = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (answer.is_discarded()) refuse(line, "not valid JSON", "example");
  refuse_batch_error(answer, line);
  if (answer.is_null()) return {};
  if (answer.is_object() && answer.contains("error")) return {.refusal = text_of(answer, "error", line)};
  wire::Conversion conversion;
  if (!answer.is_array()) return {.examples = {parse_example(answer, line)}};
  for (const Json& one : answer) conversion.examples.push_back(parse_example(one, line));
  return conversion;
}

void require_no_batch_error(const std::string& line) {
  refuse_batch_error(Json::parse(line, nullptr, /*allow_exceptions=*/false), line);
}

wire::EpisodeResult parse_score(const std::string& line) {
  const Json answer = parse_line(line);
  if (answer.is_object()) return parse_object(answer, line);
  const auto value = number_of(answer);
  if (!value) refuse(line, "neither a number nor an object");
  if (!std::isfinite(*value)) return not_finite("its score", *value);
  wire::EpisodeResult parsed{wire::Outcome::scored, {}};
  parsed.result.score = *value;
  return parsed;
}

std::map<std::string, double> parse_numbers(const std::string& line) {
  const Json answer = parse_line(line);
  refuse_batch_error(answer, line);
  if (!answer.is_object() || !answer.contains("summary") || !answer["summary"].is_object())
    refuse(line, "no {\"summary\": {...}}");
  std::map<std::string, double> numbers;
  for (const auto& [name, value] : answer["summary"].items()) {
    const auto number = number_of(value);
    if (!number) refuse(line, "\"" + name + "\" is no number");
    if (!std::isfinite(*number))
      throw PluginError(PluginFailure::not_finite, not_finite_text("its number \"" + name + "\"", *number));
    numbers[name] = *number;
  }
  return numbers;
}

}  // namespace rft::plugins::host
