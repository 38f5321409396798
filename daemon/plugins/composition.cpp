#include "plugins/composition.h"

#include <algorithm>
#include <initializer_list>

#include "base/cut_text.h"
#include "base/error.h"
#include "base/nearest.h"

namespace rft::plugins {
namespace {

constexpr size_t kMaxQuoted = 500;  // bytes of a formula in a message

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::invalid_argument, message); }

// The keys of a table are known ones, and those that are needed are there.
void check_keys(const Json& table, const std::string& what, const std::vector<std::string>& known,
                const std::vector<std::string>& needed) {
  if (!table.is_object()) fail(what + " must be a table");
  for (const auto& [key, value] : table.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      fail(what + " has the unknown key \"" + key + "\"" + did_you_mean(key, known));
  for (const auto& key : needed)
    if (!table.contains(key)) fail(what + " needs the key \"" + key + "\"");
}

std::string text_at(const Json& table, const std::string& what, const char* key) {
  if (!table.at(key).is_string()) fail(std::string(key) + " of " + what + " must be a string");
  return table.at(key).get<std::string>();
}

Part part_of(const std::string& name, const Json& grader) {
  const std::string what = "graders." + name;
  if (!Formula::is_name(name))
    fail(what +
         " cannot stand in a formula: a name has letters, digits and _, begins with no digit, and is " +
         "no function's");
  check_keys(grader, what, {"plugin", "options", "network", "secrets"}, {"plugin"});
  Part part{name, text_at(grader, what, "plugin"), grader.value("options", Json::object())};
  if (part.plugin == kComposite) fail(what + " is a multi itself; a formula can say all in one");
  if (!part.options.is_object()) fail("options of " + what + " must be a table");
  try {
    part.network = grader.value("network", false);
    part.secrets = grader.value("secrets", part.secrets);
  } catch (const Json::exception&) {
    fail(what + ": network must be true or false, secrets a list of names");
  }
  return part;
}

}  // namespace

Composition parse_composition(const Json& options) {
  check_keys(options, "multi", {"graders", "calculate_output"}, {"graders", "calculate_output"});
  const Json& graders = options.at("graders");
  if (!graders.is_object() || graders.empty())
    fail("graders must be a table of named scorers, such as { a = { plugin = \"exact_match\" } }");
  std::vector<Part> parts;
  std::vector<std::string> names;
  for (const auto& [name, grader] : graders.items()) {
    parts.push_back(part_of(name, grader));
    names.push_back(name);
  }
  const std::string text = text_at(options, "multi", "calculate_output");
  try {
    Formula formula(text, names);
    for (const auto& name : names)
      if (!formula.uses(name)) fail("it does not use " + name + "; use it, or leave the scorer out");
    return {std::move(parts), std::move(formula)};
  } catch (const Error& error) {
    fail("calculate_output = \"" + cut_text(text, kMaxQuoted) + "\": " + error.what());
  }
}

}  // namespace rft::plugins
