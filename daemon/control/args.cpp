#include "control/args.h"

#include "base/error.h"

namespace rft::control {
namespace {

[[noreturn]] void wrong(const char* name, const std::string& expected) {
  throw Error(ErrorCode::invalid_argument, "\"" + std::string(name) + "\" must be " + expected, name);
}

}  // namespace

std::string Args::text(const char* name) const {
  const std::string text = text_or(name, "");
  if (text.empty()) wrong(name, "a string that is not empty");
  return text;
}

std::string Args::text_or(const char* name, const std::string& otherwise) const {
  if (!has(name)) return otherwise;
  if (!args_[name].is_string()) wrong(name, "a string");
  auto text = args_[name].get<std::string>();
  // As a path it would name another file than the one that is shown.
  if (text.find('\0') != std::string::npos) wrong(name, "a string without a zero byte");
  return text;
}

bool Args::flag(const char* name) const {
  if (!has(name)) return false;
  if (!args_[name].is_boolean()) wrong(name, "true or false");
  return args_[name].get<bool>();
}

std::optional<int64_t> Args::integer(const char* name, int64_t least, int64_t most) const {
  if (!has(name)) return std::nullopt;
  const Json& value = args_[name];
  // An unsigned number beyond int64 would come out of get<int64_t> as a negative one.
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  if (!fits || value.get<int64_t>() < least || value.get<int64_t>() > most)
    wrong(name, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return value.get<int64_t>();
}

std::optional<Json> Args::object(const char* name) const {
  if (!has(name)) return std::nullopt;
  if (!args_[name].is_object()) wrong(name, "an object");
  return args_[name];
}

int64_t Args::integer_or(const char* name, int64_t otherwise, int64_t least, int64_t most) const {
  return integer(name, least, most).value_or(otherwise);
}

std::vector<std::string> Args::texts(const char* name) const {
  std::vector<std::string> found;
  if (!has(name)) return found;
  if (!args_[name].is_array()) wrong(name, "a list of strings");
  for (const Json& text : args_[name]) {
    if (!text.is_string()) wrong(name, "a list of strings");
    found.push_back(text.get<std::string>());
  }
  return found;
}

std::string Args::job() const {
  if (has("job") && args_["job"].is_number_integer())
    return std::to_string(*integer("job", 1, std::numeric_limits<int64_t>::max()));
  return text("job");
}

}  // namespace rft::control
