// A table in a text file, as RFC 4180 writes it with commas: fields may stand in quotes, and within them a
// quote is doubled and separators and line breaks are text; lines end with CRLF or LF. The first row names
// the columns.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace table {

struct Row {
  size_t line = 0;  // where it begins, from 1
  std::vector<std::string> fields;
};

// Reads the rows one after the other. Throws std::invalid_argument "FILE:LINE: what is wrong".
class Rows {
 public:
  Rows(std::string file, std::string_view text, char separator)
      : file_(std::move(file)), rest_(text), separator_(separator) {
    if (rest_.substr(0, 3) == "\xEF\xBB\xBF") rest_.remove_prefix(3);  // a byte order mark
  }

  // False at the end. Empty lines are passed over.
  bool next(Row& row) {
    while (take_line_end()) {
    }
    if (rest_.empty()) return false;
    row = {line_, {}};
    do row.fields.push_back(field());
    while (take(separator_));
    if (!rest_.empty() && !take_line_end())
      fail(line_, "text after a quoted field; a quote within quotes is written twice");
    return true;
  }

  [[noreturn]] void fail(size_t line, const std::string& what) const {
    throw std::invalid_argument(file_ + ":" + std::to_string(line) + ": " + what);
  }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_line_end() {
    const size_t size = rest_.substr(0, 2) == "\r\n" ? 2 : rest_.substr(0, 1) == "\n" ? 1 : 0;
    rest_.remove_prefix(size);
    line_ += size > 0;
    return size > 0;
  }

  std::string field() { return take('"') ? quoted() : bare(); }

  std::string bare() {
    size_t end = rest_.find_first_of(std::string("\n\"") + separator_);
    if (end == std::string_view::npos) end = rest_.size();
    if (end < rest_.size() && rest_[end] == '"')
      fail(line_, "a quote within a field that does not begin with one; put the whole field in quotes");
    if (end > 0 && end < rest_.size() && rest_[end] == '\n' && rest_[end - 1] == '\r') --end;
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return text;
  }

  std::string quoted() {
    const size_t begin = line_;
    std::string text;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"' && !take('"')) return text;
      line_ += c == '\n';
      text += c;
    }
    fail(begin, "a quoted field that does not end");
  }

  std::string file_;
  std::string_view rest_;
  char separator_;
  size_t line_ = 1;
};

// Which keys of a record the columns become: (key, column) pairs rename a column, every other keeps its name.
using ColumnNames = std::vector<std::pair<std::string, std::string>>;

inline std::vector<std::string> keys_of(const Rows& rows, const Row& header, const ColumnNames& names) {
  std::vector<std::string> keys = header.fields;
  std::string known;
  for (const auto& column : header.fields) known += (known.empty() ? "" : ", ") + column;
  for (const auto& [key, column] : names) {
    bool found = false;
    for (size_t i = 0; i < keys.size(); ++i)
      if (header.fields[i] == column) {
        keys[i] = key;
        found = true;
      }
    if (!found) rows.fail(header.line, "there is no column \"" + column + "\"; there are " + known);
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].empty()) rows.fail(header.line, "column " + std::to_string(i + 1) + " has no name");
    for (size_t j = 0; j < i; ++j)
      if (keys[i] == keys[j]) rows.fail(header.line, "two columns are \"" + keys[i] + "\"");
  }
  return keys;
}

// A record of texts, ready to be written as JSON.
using Record = std::vector<std::pair<std::string, std::string>>;

// Calls `take` with each row of the file as a record, and its line.
inline void read(const std::string& file, std::string_view text, char separator, const ColumnNames& names,
                 const std::function<void(size_t line, Record&&)>& take) {
  Rows rows(file, text, separator);
  Row row;
  if (!rows.next(row)) rows.fail(1, "there is nothing in it; the first row names the columns");
  const auto keys = keys_of(rows, row, names);
  while (rows.next(row)) {
    if (row.fields.size() != keys.size())
      rows.fail(row.line, std::to_string(row.fields.size()) + " fields, and the header names " +
                              std::to_string(keys.size()) +
                              " columns; a field that holds the separator stands in quotes");
    Record record;
    for (size_t i = 0; i < keys.size(); ++i) record.emplace_back(keys[i], std::move(row.fields[i]));
    take(row.line, std::move(record));
  }
}

}  // namespace table
