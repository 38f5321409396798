// endpoint.py as a child of the test, for the scorers that ask an endpoint.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/pipe.h"
#include "base/subprocess.h"
#include "support/temp_dir.h"

namespace rft {

class Endpoint {
 public:
  Endpoint() {
    Pipe said;
    ProcessOptions options;
    options.argv = {"/usr/bin/env", "python3", RFT_TEST_DATA_DIR "/../support/endpoint.py", log().string()};
    options.descriptors = {{ends_.read.get(), 0}, {said.write.get(), 1}};
    options.dies_with_parent = true;
    process_.emplace(options);
    said.write.reset();
    for (char c = 0; ::read(said.read.get(), &c, 1) == 1 && c != '\n';) port_ += c;
    if (port_.empty()) throw std::runtime_error("the test's endpoint did not start");
  }

  std::string at(const std::string& path) const { return "http://127.0.0.1:" + port_ + path; }

  struct Request {
    std::string path;
    double at;    // seconds, of a clock of its own
    int at_once;  // requests that were unanswered then, this one among them
    Json headers;
    std::string body;
  };
  // So far, in the order in which they came.
  std::vector<Request> requests() const {
    std::vector<Request> requests;
    if (std::filesystem::exists(log()))
      for_each_json_line(log(), [&](Json&& line, size_t) {
        requests.push_back(
            {line.at("path"), line.at("at"), line.at("at_once"), line.at("headers"), line.at("body")});
      });
    return requests;
  }

 private:
  std::filesystem::path log() const { return folder_ / "requests.jsonl"; }

  TempDir folder_;
  Pipe ends_;  // its end is the server's
  std::string port_;
  std::optional<Subprocess> process_;
};

}  // namespace rft
