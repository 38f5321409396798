// What the options of `[scorer] plugin = "multi"` say: named scorers, and the formula that makes one score of
// theirs. The spelling is that of OpenAI's multi grader:
//
//   options = { graders = { a = { plugin = "exact_match", options = {…} }, b = { plugin = "scorer.py" } },
//               calculate_output = "0.7 * a + 0.3 * b" }
//
// A scorer that asks for the network or for secrets says so beside its plugin, as [scorer] does for all.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "plugins/formula.h"

namespace rft::plugins {

inline constexpr char kComposite[] = "multi";

struct Part {
  std::string name;    // in the formula, and of the sub-score
  std::string plugin;  // as [scorer] plugin
  Json options = Json::object();
  bool network = false;
  std::vector<std::string> secrets = {};
};

struct Composition {
  std::vector<Part> parts;
  Formula formula;
};

// Throws Error(invalid_argument) that names the key: an unknown or missing one, a name that the formula
// cannot use or does not use, a formula that is none.
Composition parse_composition(const Json& options);

}  // namespace rft::plugins
