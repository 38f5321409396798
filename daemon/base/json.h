// JSON as the project uses it: nlohmann::ordered_json, so that what a user wrote keeps its order.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace rft {

using Json = nlohmann::ordered_json;

// Parses text from outside. Throws Error(invalid_argument) that names `what`, for text that is not JSON, is
// nested deeper than 64 levels, or is not valid UTF-8.
Json parse_json(std::string_view text, const std::string& what);

// What nlohmann's exception says, without the name of its kind before it.
std::string reason_of(const Json::exception& error);

// One line of compact JSON, or with an indent as many lines as it takes. Strings that are not valid UTF-8 are
// written with U+FFFD rather than refused: a model may sample any bytes.
std::string dump_json(const Json& json, int indent = -1);

// Calls `line` with each line of a JSONL file as an object and its number from 1; blank lines are passed
// over. Throws Error(invalid_argument) "FILE:LINE: what is wrong" for a line that is no JSON object.
void for_each_json_line(const std::filesystem::path& file,
                        const std::function<void(Json&& record, size_t line_number)>& line);

}  // namespace rft
