// A scorer that comes with the daemon, in a host as a job runs it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "plugins/scorer_host.h"
#include "plugins/support.h"

namespace rft::plugins::testing {

inline ScoreRequest request_of(const std::string& completion, const Json& record,
                               const std::string& finish = "eos") {
  return {.completion = completion, .record_json = dump_json(record), .finish_reason = finish};
}
inline ScoreRequest request(const std::string& completion, const std::string& output,
                            const std::string& finish = "eos") {
  return request_of(completion, {{"output", output}}, finish);
}

class ShippedScorer {
 public:
  // `files` of the job folder, by their names.
  ShippedScorer(const std::string& name, const Json& options,
                const std::map<std::string, std::string>& files = {})
      : scorer_([&] {
          for (const auto& [file, text] : files) folder_.write(file, text);
          ScorerOptions all = options_for(fs::path(RFT_SHIPPED_PLUGINS_DIR) / (name + ".so"), folder_);
          all.options = options;
          return all;
        }()) {}
  ScorerHost* operator->() { return &scorer_; }
  std::vector<double> scores(const std::vector<ScoreRequest>& requests) {
    std::vector<double> scores;
    for (const auto& result : scorer_.score(requests)) scores.push_back(result.score.value());
    return scores;
  }

 private:
  TemporaryFolder folder_;
  ScorerHost scorer_;
};

// The scorer is refused with a text that holds every one of `parts`.
inline void expect_options_refused(const std::string& name, const Json& options,
                                   const std::vector<std::string>& parts) {
  expect_plugin_error(PluginFailure::threw, parts, [&] { ShippedScorer(name, options); });
}

}  // namespace rft::plugins::testing
