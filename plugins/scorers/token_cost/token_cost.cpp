// A penalty for what a completion costs in money. README.md has the formula.
#include <rft/scorer.hpp>
#include <stdexcept>
#include <string>

#include "../common/penalty.h"

class TokenCost : public rft::Scorer {
 public:
  explicit TokenCost(std::string_view text) {
    const rft::Fields fields(text);
    fields.allow_only({"prompt_price", "completion_price", "budget", "rate", "cap"});
    prompt_price_ = options::number(fields, "prompt_price", 0);
    completion_price_ = options::number(fields, "completion_price", 0);
    if (prompt_price_ + completion_price_ == 0)
      throw std::invalid_argument(
          "a price is needed: `prompt_price` or `completion_price`, of a million tokens");
    penalty_ = Penalty(options::number(fields, "budget", 0), options::required_number(fields, "rate"),
                       options::number(fields, "cap", 1));
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const double cost = cost_of(episode.prompt_tokens(), episode.completion_tokens());
      episode.set_score(penalty_.score(cost));
      episode.set_sub_score("cost", cost);
    }
  }

  void summarize(const rft::Scored& scored, rft::Numbers& numbers) {
    std::vector<double> costs;
    for (size_t i = 0; i < scored.size(); ++i)
      costs.push_back(cost_of(scored.episode(i).prompt_tokens, scored.episode(i).completion_tokens));
    summarize_amounts("cost", std::move(costs), numbers);
  }

 private:
  double cost_of(int64_t prompt_tokens, int64_t completion_tokens) const {
    constexpr double kMillion = 1e6;
    return (static_cast<double>(prompt_tokens) * prompt_price_ +
            static_cast<double>(completion_tokens) * completion_price_) /
           kMillion;
  }

  double prompt_price_ = 0, completion_price_ = 0;
  Penalty penalty_;
};

RFT_SCORER(TokenCost, "token_cost", "1.0.0")
