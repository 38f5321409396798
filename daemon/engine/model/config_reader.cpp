#include "engine/model/config_reader.h"

#include "base/error.h"

namespace rft::engine {

ConfigReader::ConfigReader(const Json& object, std::vector<std::string>& unsupported, std::string path)
    : object_(object), unsupported_(unsupported), path_(std::move(path)) {
  if (!object.is_object())
    refuse(path_.empty() ? "not a JSON object" : path_.substr(0, path_.size() - 1) + " is not an object");
}

void ConfigReader::refuse(const std::string& message) const {
  throw Error(ErrorCode::invalid_argument, "config.json: " + message);
}

int64_t ConfigReader::integer(const char* key) const {
  if (!has(key)) refuse("the key " + name(key) + " is missing");
  if (!at(key).is_number_integer()) refuse(name(key) + " is not an integer");
  return at(key).get<int64_t>();
}

int64_t ConfigReader::integer_or(const char* key, int64_t fallback) const {
  return has(key) ? integer(key) : fallback;
}

int64_t ConfigReader::layer_count(const char* key) const {
  constexpr int64_t kMax = 10'000;
  const int64_t count = integer(key);
  if (count < 1 || count > kMax) refuse(name(key) + " is not between 1 and " + std::to_string(kMax));
  return count;
}

double ConfigReader::number(const char* key) const {
  if (!has(key)) refuse("the key " + name(key) + " is missing");
  if (!at(key).is_number()) refuse(name(key) + " is not a number");
  return at(key).get<double>();
}

double ConfigReader::number_or(const char* key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

bool ConfigReader::flag_or(const char* key, bool fallback) const {
  if (!has(key)) return fallback;
  if (!at(key).is_boolean()) refuse(name(key) + " is not true or false");
  return at(key).get<bool>();
}

std::string ConfigReader::text_or(const char* key, const std::string& fallback) const {
  if (!has(key)) return fallback;
  if (!at(key).is_string()) refuse(name(key) + " is not a string");
  return at(key).get<std::string>();
}

std::vector<double> ConfigReader::numbers(const char* key) const {
  if (!has(key)) refuse("the key " + name(key) + " is missing");
  std::vector<double> values;
  for (const Json& value : at(key)) {
    if (!at(key).is_array() || !value.is_number()) refuse(name(key) + " is not a list of numbers");
    values.push_back(value.get<double>());
  }
  return values;
}

std::vector<std::string> ConfigReader::texts(const char* key) const {
  if (!has(key)) refuse("the key " + name(key) + " is missing");
  std::vector<std::string> values;
  for (const Json& value : at(key)) {
    if (!at(key).is_array() || !value.is_string()) refuse(name(key) + " is not a list of strings");
    values.push_back(value.get<std::string>());
  }
  return values;
}

ConfigReader ConfigReader::object(const char* key) const {
  static const Json empty = Json::object();
  return {has(key) ? at(key) : empty, unsupported_, name(key) + "."};
}

void ConfigReader::only(const char* key, const Json& supported) const {
  if (has(key) && at(key) != supported) is_unsupported(key);
}

void ConfigReader::is_unsupported(const char* key) const {
  const Json& value = at(key);
  unsupported_.push_back(name(key) + " = " +
                         (value.is_string() ? value.get<std::string>() : dump_json(value)));
}

}  // namespace rft::engine
