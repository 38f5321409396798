#include "base/json.h"

#include <fstream>

#include "base/error.h"

namespace rft {
namespace {

constexpr int kMaxDepth = 64;

}  // namespace

std::string reason_of(const Json::exception& error) {
  // "[json.exception.type_error.302] type must be string, but is number".
  std::string reason = error.what();
  if (const auto end = reason.find("] "); end != std::string::npos) reason.erase(0, end + 2);
  return reason;
}

Json parse_json(std::string_view text, const std::string& what) {
  const auto depth_guard = [&](int depth, Json::parse_event_t event, Json&) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= kMaxDepth)
      throw Error(ErrorCode::invalid_argument,
                  what + ": nested deeper than " + std::to_string(kMaxDepth) + " levels");
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), depth_guard);
  } catch (const Json::exception& error) {
    // "parse error at line 1, column 2: reason": the line is that of the text, which is mostly one line of a
    // file of many.
    std::string reason = reason_of(error);
    if (const auto line = reason.find("line 1, "); line != std::string::npos) reason.erase(line, 8);
    throw Error(ErrorCode::invalid_argument, what + ": not valid JSON: " + reason);
  }
}

std::string dump_json(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

void for_each_json_line(const std::filesystem::path& file,
                        const std::function<void(Json&& record, size_t line_number)>& line) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw_errno("cannot read " + file.string());
  std::string text;
  for (size_t number = 1; std::getline(in, text); ++number) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = file.string() + ":" + std::to_string(number);
    Json record = parse_json(text, where);
    if (!record.is_object())
      throw Error(ErrorCode::invalid_argument,
                  where + ": not a JSON object; each line is one, such as {\"input\": \"…\"}");
    line(std::move(record), number);
  }
  if (in.bad()) throw_errno("cannot read " + file.string());
}

}  // namespace rft
