// The records of a data file of the job, whatever its format.
#pragma once

#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

#include "table.h"

namespace files {

using Json = nlohmann::ordered_json;
// Takes a record, a JSON object, and the line where it begins.
using Take = std::function<void(size_t line, const Json& record)>;

inline std::string read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::invalid_argument(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

// What a parser said, without the name of its exception.
inline std::string reason_of(const Json::exception& error) {
  const std::string reason = error.what();
  const size_t end = reason.find("] ");
  return end == std::string::npos ? reason : reason.substr(end + 2);
}

// What `body` throws gets the place before it.
template <class Body>
auto at_line(const std::string& path, size_t line, const Body& body) {
  const std::string where = path + ":" + std::to_string(line) + ": ";
  try {
    return body();
  } catch (const Json::exception& error) {
    throw std::invalid_argument(where + "not valid JSON: " + reason_of(error));
  } catch (const std::exception& error) {
    throw std::invalid_argument(where + error.what());
  }
}

inline void read_json_lines(const std::string& path, const Take& take) {
  std::istringstream in(read_whole(path));
  std::string text;
  for (size_t line = 1; std::getline(in, text); ++line) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json record = at_line(path, line, [&] {
      Json parsed = Json::parse(text);
      if (!parsed.is_object()) throw std::invalid_argument("not a JSON object");
      return parsed;
    });
    take(line, record);
  }
}

inline void read_table(const std::string& path, char separator, const table::ColumnNames& names,
                       const Take& take) {
  table::read(path, read_whole(path), separator, names, [&](size_t line, table::Record&& fields) {
    Json record = Json::object();
    for (auto& [key, value] : fields) record[key] = std::move(value);
    take(line, record);
  });
}

// Throws for bytes that are not UTF-8.
inline std::string json_text(const std::string& path, size_t line, const Json& record) {
  return at_line(path, line, [&] {
    try {
      return record.dump();
    } catch (const Json::exception&) {
      throw std::invalid_argument("not valid UTF-8; save the file in that encoding");
    }
  });
}

}  // namespace files
