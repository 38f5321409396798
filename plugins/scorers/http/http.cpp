// Scores by an endpoint of the user's own: posts episodes to it and takes their scores from its answer. What
// it is sent and answers is what a scorer that is an executable reads and writes, as a JSON array.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <rft/scorer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../common/http_client.h"
#include "../common/options.h"

using Json = nlohmann::ordered_json;

class Http : public rft::Scorer {
 public:
  static constexpr bool kVaries = true;  // as far as anyone here knows

  explicit Http(std::string_view text)
      : episodes_per_request_(checked(rft::Fields(text))), client_(http::endpoint_of(rft::Fields(text))) {}

  void score(rft::Batch& batch) override {
    std::vector<std::string> bodies;
    for (size_t begin = 0; begin < batch.size(); begin += episodes_per_request_)
      bodies.push_back(request_of(batch, begin, end_of(batch, begin)));
    client_.begin_batch();
    const std::vector<http::Answer> answers = client_.post(bodies);
    for (size_t i = 0; i < answers.size(); ++i) {
      const size_t begin = i * episodes_per_request_;
      take(answers[i], batch, begin, end_of(batch, begin));
    }
  }

 private:
  // Answers `episodes_per_request`.
  static size_t checked(const rft::Fields& fields) {
    fields.allow_only({"url", "episodes_per_request", "request_timeout_s", "retries", "retry_delay_s",
                       "requests_per_second", "concurrency"});
    return static_cast<size_t>(options::number(fields, "episodes_per_request", 32, 1, 1024));
  }

  size_t end_of(const rft::Batch& batch, size_t begin) const {
    return std::min(begin + episodes_per_request_, batch.size());
  }

  static std::string request_of(const rft::Batch& batch, size_t begin, size_t end) {
    Json episodes = Json::array();
    for (size_t i = begin; i < end; ++i) {
      const rft::Episode& episode = batch[i];
      episodes.push_back({{"index", i - begin},
                          {"of", end - begin},
                          {"prompt", episode.prompt()},
                          {"completion", episode.completion()},
                          {"record", Json::parse(episode.record())},
                          {"finish_reason", episode.finish_reason()},
                          {"prompt_tokens", episode.prompt_tokens()},
                          {"completion_tokens", episode.completion_tokens()},
                          {"generation_s", episode.generation_seconds()}});
    }
    return episodes.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  // Gives each of the episodes what was answered for it; what went wrong with the request is theirs as well.
  static void take(const http::Answer& answer, rft::Batch& batch, size_t begin, size_t end) {
    std::string error = answer.error;
    const Json results = Json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
    if (error.empty() && (!results.is_array() || results.size() != end - begin))
      error = "the endpoint answered " + (results.is_discarded() ? "what is no JSON" : shape_of(results)) +
              "; a JSON array of " + std::to_string(end - begin) +
              " is wanted, one for each episode: " + answer.body.substr(0, kMaxQuotedBytes);
    for (size_t i = begin; i < end; ++i) {
      if (!error.empty())
        batch[i].fail(error);
      else
        take(results[i - begin], batch[i]);
    }
  }

  static std::string shape_of(const Json& results) {
    if (!results.is_array()) return std::string("a JSON ") + results.type_name();
    return "an array of " + std::to_string(results.size());
  }

  static void take(const Json& result, rft::Episode& episode) {
    try {
      const Json whole = result.is_object() ? result : Json{{"score", result}};
      if (whole.contains("error")) return episode.fail(whole.at("error").get<std::string>());
      const Json sub_scores = whole.value("sub_scores", Json::object());
      for (const auto& [name, value] : sub_scores.items()) episode.set_sub_score(name, value.get<double>());
      episode.set_reason(whole.value("reason", std::string()));
      episode.set_valid(whole.value("valid", true));
      episode.set_score(whole.at("score").get<double>());
    } catch (const Json::exception&) {
      episode.fail("the endpoint answered no score: " +
                   result.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, kMaxQuotedBytes));
    }
  }

  static constexpr size_t kMaxQuotedBytes = 300;

  size_t episodes_per_request_;
  http::Client client_;
};

RFT_SCORER(Http, "http", "1.0.0")
