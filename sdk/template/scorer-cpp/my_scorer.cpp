// Rewards a short answer that holds the record's "keyword".
#include <rft/scorer.hpp>
#include <stdexcept>

class MyScorer : public rft::Scorer {
 public:
  explicit MyScorer(std::string_view options) {
    const rft::Fields fields(options);
    fields.allow_only({"limit"});
    limit_ = fields.number("limit").value_or(200);
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const auto keyword = episode.fields().text("keyword");
      if (!keyword) throw std::invalid_argument("a record has no \"keyword\"");
      const bool found = episode.completion().find(*keyword) != std::string_view::npos;
      const bool is_short = static_cast<double>(episode.completion().size()) <= limit_;
      episode.set_score((found ? 0.8 : 0.0) + (is_short ? 0.2 : 0.0));
      episode.set_sub_score("found", found ? 1 : 0);
      episode.set_reason(found ? "keyword found" : "keyword missing");
    }
  }

 private:
  double limit_ = 0;
};

RFT_SCORER(MyScorer, "my_scorer", "0.1.0")
