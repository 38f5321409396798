// The keys of config.json, read with their defaults. A missing or senseless key is an Error(invalid_argument)
// that names it; a value that asks for what the engine does not do goes on a list. An absent key and null are
// told apart only where a family does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace rft::engine {

class ConfigReader {
 public:
  // `object` and `unsupported` must outlive the reader.
  ConfigReader(const Json& object, std::vector<std::string>& unsupported, std::string path = "");

  const Json& json() const { return object_; }
  bool mentions(const char* key) const { return object_.contains(key); }  // perhaps as null
  bool has(const char* key) const { return mentions(key) && !at(key).is_null(); }
  const Json& at(const char* key) const { return object_.at(key); }

  int64_t integer(const char* key) const;
  int64_t integer_or(const char* key, int64_t fallback) const;
  // A number of layers: bounded, since something is allocated for each before the weights are looked at.
  int64_t layer_count(const char* key) const;
  double number(const char* key) const;
  double number_or(const char* key, double fallback) const;
  bool flag_or(const char* key, bool fallback) const;
  std::string text_or(const char* key, const std::string& fallback) const;
  std::vector<double> numbers(const char* key) const;
  std::vector<std::string> texts(const char* key) const;

  // The object under `key`; one with no keys where there is none.
  ConfigReader object(const char* key) const;

  // Names `key` with its value as unsupported, unless it is absent or has this value.
  void only(const char* key, const Json& supported) const;
  void is_unsupported(const char* key) const;

  [[noreturn]] void refuse(const std::string& message) const;

 private:
  std::string name(const char* key) const { return path_ + key; }

  const Json& object_;
  std::vector<std::string>& unsupported_;
  std::string path_;  // "rope_scaling."
};

}  // namespace rft::engine
