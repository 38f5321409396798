#include "plugins/host/samples.h"

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace rft::plugins::host {

std::vector<Sample> samples_of(const std::filesystem::path& data) {
  std::vector<Sample> samples;
  const auto add = [&](const Json& record) {
    const Json output = record.value("output", Json("an answer"));
    samples.push_back({dump_json(record.value("input", Json("a question"))),
                       output.is_string() ? output.get<std::string>() : dump_json(output),
                       dump_json(record)});
  };
  if (data.empty())
    for (const char* output : {"yes", "no", "perhaps"}) add({{"input", "a question"}, {"output", output}});
  else
    for_each_json_line(data, [&](Json&& record, size_t) {
      if (samples.size() < 64) add(record);
    });
  if (samples.empty()) throw Error(ErrorCode::invalid_argument, data.string() + ": holds no record");
  return samples;
}

const std::vector<std::string>& texts_in_many_scripts() {
  static const std::vector<std::string> all = {"",
                                               " ",
                                               std::string("a\0b", 3),
                                               "äöü ß",
                                               "日本語の文",
                                               "😀👩‍👩‍👧",
                                               "e\u0301\u0301\u0301",
                                               "‏עברית ‎العربية",
                                               "\uFEFF\uFFFD\u2028",
                                               "\r\n\t\x01\x7f",
                                               "\\\"{}[]\\u0000"};
  return all;
}

}  // namespace rft::plugins::host
