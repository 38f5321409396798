#include "cli/output.h"

#include <unistd.h>

#include <iostream>

namespace rft::cli {

void Output::text(const std::string& text) const {
  if (!json_) std::cout << text << std::flush;
}

void Output::note(const std::string& line) const {
  if (!json_) std::cerr << line << std::endl;
}

void Output::progress(const std::string& line) const {
  if (!json_ && ::isatty(STDERR_FILENO) == 1) std::cerr << "\r\033[K" << line << std::flush;
}

void Output::value(const Json& value) const {
  if (json_) std::cout << dump_json(value) << std::endl;
}

void Output::error(const Error& error) const {
  progress("");
  std::cerr << "rftctl: " << error.what() << std::endl;
  Json json = {{"code", to_string(error.code())}, {"message", error.what()}};
  if (!error.field().empty()) json["field"] = error.field();
  value({{"error", std::move(json)}});
}

}  // namespace rft::cli
