// What a judge model said of one completion, read from its message: JSON where it was asked for that or gives
// it of itself, else the number or the label that its text names.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using Json = nlohmann::ordered_json;

inline constexpr size_t kMaxQuotedBytes = 300;  // of what was answered, in an error

struct Verdict {
  double score = 0;
  std::string reason;
};

// What is asked of the judge: a number from `low` to `high`, or one of `labels`, of which the passing ones
// score 1 and the others 0.
struct Scale {
  double low = 0, high = 1;
  std::vector<std::string> labels, passing_labels;

  bool has_labels() const { return !labels.empty(); }
  // "a number from 0 to 1", or "one of "good", "bad"".
  std::string text() const;
  // The JSON schema of a verdict, as structured outputs take it.
  Json schema() const;
};

// The verdict in the `choices` of a chat completion. Throws std::runtime_error that says what is wrong with
// it.
Verdict verdict_of(const Json& completion, const Scale& scale);
