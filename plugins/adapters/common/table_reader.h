// An adapter for tables with the given separator: each row is a record of texts, and its prompt is made as
// that of a JSONL record.
#pragma once

#include <rft/reader.hpp>
#include <string>

#include "files.h"
#include "text_prompt.h"

template <char separator>
class TableReader : public rft::DatasetReader {
 public:
  explicit TableReader(std::string_view text) {
    const rft::Fields options(text);
    options.allow_only({"prompt", "task", "input", "output"});
    prompt_ = TextPrompt(options.text("prompt").value_or(""));
    for (const char* key : {"task", "input", "output"})
      if (const auto column = options.text(key)) names_.emplace_back(key, *column);
  }

  void read(const std::string& path, rft::Examples& examples) override {
    files::read_table(path, separator, names_, [&](size_t line, const files::Json& record) {
      const std::string json = files::json_text(path, line, record);
      examples.add(json, files::at_line(path, line, [&] { return prompt_.of(json); }));
    });
  }

 private:
  TextPrompt prompt_;
  table::ColumnNames names_;
};
