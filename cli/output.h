// What a command writes: text for people, or with --json one JSON value and nothing else on standard output.
#pragma once

#include <string>

#include "base/error.h"
#include "base/json.h"
#include "cli/format.h"

namespace rft::cli {

class Output {
 public:
  Output(bool json, const Style& style) : json_(json), style_(style) {}

  bool json() const { return json_; }
  const Style& style() const { return style_; }

  // Text for people; nothing with --json.
  void text(const std::string& text) const;
  void line(const std::string& line) const { text(line + "\n"); }
  // A hint beside the answer, on standard error; nothing with --json.
  void note(const std::string& line) const;
  // What goes on, in a line of its own that the next one replaces; empty: it is over. Only where standard
  // error is a terminal, and nothing with --json.
  void progress(const std::string& line) const;
  // The answer for programs; nothing without --json.
  void value(const Json& value) const;
  // "rftctl: …" on standard error, and with --json {"error":{…}} on standard output.
  void error(const Error& error) const;

 private:
  bool json_;
  Style style_;
};

}  // namespace rft::cli
