// A penalty for completions that took long to generate. README.md has the formula.
#include <rft/scorer.hpp>
#include <string>

#include "../common/penalty.h"

class LatencyPenalty : public rft::Scorer {
 public:
  explicit LatencyPenalty(std::string_view text) {
    const rft::Fields fields(text);
    fields.allow_only({"max_s", "rate", "cap"});
    penalty_ = Penalty(options::required_number(fields, "max_s"), options::required_number(fields, "rate"),
                       options::number(fields, "cap", 1));
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      episode.set_score(penalty_.score(episode.generation_seconds()));
      episode.set_sub_score("latency_s", episode.generation_seconds());
    }
  }

  void summarize(const rft::Scored& scored, rft::Numbers& numbers) {
    std::vector<double> seconds;
    for (size_t i = 0; i < scored.size(); ++i) seconds.push_back(scored.episode(i).generation_seconds);
    summarize_amounts("latency_s", std::move(seconds), numbers);
  }

 private:
  Penalty penalty_;
};

RFT_SCORER(LatencyPenalty, "latency_penalty", "1.0.0")
