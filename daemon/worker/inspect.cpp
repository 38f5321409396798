#include "worker/inspect.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "engine/model/decoder.h"
#include "engine/model/model_summary.h"
#include "engine/model/position_logits.h"
#include "engine/rollout/generate.h"
#include "engine/runtime.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace rft::worker {
namespace fs = std::filesystem;
namespace {

using Answer = std::function<Json(const Json& question)>;

// Nobody watches the progress of an inspection, and nobody stops it but by ending the process.
class Unwatched : public engine::ProgressSink {
 public:
  void advance(std::string_view, int64_t, int64_t, std::string_view) override {}
  bool stop_requested() const override { return false; }
};

std::shared_ptr<engine::Decoder> load_model(const InspectOptions& options) {
  auto model =
      engine::Decoder::load(options.model_dir, engine::decoder_options(options.device, options.dtype));
  if (options.adapter_dir.empty()) return model;
  return model->with_adapter(engine::read_adapter(options.adapter_dir, model->config()));
}

// A member of a question. Throws Error that names it where it is missing or of another type.
template <class T>
T member(const Json& question, const char* name) {
  if (!question.contains(name))
    throw Error(ErrorCode::invalid_argument, std::string("\"") + name + "\" is missing", name);
  try {
    return question[name].get<T>();
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::invalid_argument, std::string("\"") + name + "\": " + reason_of(error), name);
  }
}

// The same for a member that may be absent, or null.
template <class T>
T member(const Json& question, const char* name, T otherwise) {
  return question.contains(name) && !question[name].is_null() ? member<T>(question, name) : otherwise;
}

std::vector<int64_t> token_ids(const Json& question) {
  const auto ids = member<Json::array_t>(question, "ids");
  std::vector<int64_t> all;
  for (const Json& id : ids) {
    if (!id.is_number_integer())
      throw Error(ErrorCode::invalid_argument, "\"ids\": " + dump_json(id) + " is no token id", "ids");
    all.push_back(id.get<int64_t>());
  }
  return all;
}

std::vector<int64_t> ids_of(const Json& question, const engine::ModelConfig& config) {
  auto ids = token_ids(question);
  if (ids.empty()) throw Error(ErrorCode::invalid_argument, "\"ids\" is empty", "ids");
  for (const int64_t id : ids)
    if (id < 0 || id >= config.vocab_size)
      throw Error(ErrorCode::invalid_argument,
                  "token id " + std::to_string(id) + " is outside the vocabulary of " +
                      std::to_string(config.vocab_size),
                  "ids");
  return ids;
}

Answer answer_logits(const InspectOptions& options) {
  return [model = load_model(options)](const Json& question) {
    const auto ids = ids_of(question, model->config());
    std::vector<int64_t> positions = {static_cast<int64_t>(ids.size()) - 1};
    positions = member(question, "positions", positions);
    Json answer = {{"logits", Json::array()}, {"log_probs", Json::array()}};
    for (engine::PositionLogits& at_position : engine::logits_at(*model, ids, positions)) {
      answer["logits"].push_back(std::move(at_position.logits));
      answer["log_probs"].push_back(at_position.log_prob ? Json(*at_position.log_prob) : Json());
    }
    return answer;
  };
}

engine::SamplingOptions sampling_of(const Json& question) {
  engine::SamplingOptions options;
  options.max_new_tokens = member(question, "max_new_tokens", int64_t{16});
  options.temperature = member(question, "temperature", 0.0);
  options.top_k = member(question, "top_k", int64_t{0});
  options.top_p = member(question, "top_p", 1.0);
  options.ignore_eos = member(question, "ignore_eos", false);
  options.stop = member(question, "stop", std::vector<std::string>{});
  options.seed = member(question, "seed", uint64_t{0});
  return options;
}

std::string_view name_of(engine::FinishReason reason) {
  return reason == engine::FinishReason::eos    ? "eos"
         : reason == engine::FinishReason::stop ? "stop"
                                                : "length";
}

Answer answer_generate(const InspectOptions& options) {
  std::shared_ptr<text::Tokenizer> tokenizer;
  if (fs::exists(options.model_dir / "tokenizer.json"))
    tokenizer = std::make_shared<text::Tokenizer>(text::Tokenizer::load(options.model_dir));
  return [model = load_model(options), tokenizer](const Json& question) {
    Unwatched sink;
    std::vector<engine::Prompt> prompts;
    prompts.push_back({.ids = ids_of(question, model->config())});
    const auto completions = engine::generate(*model, prompts, sampling_of(question), tokenizer.get(), sink);
    const engine::Completion& completion = completions.at(0).at(0);
    Json answer = {{"ids", completion.ids}};
    if (tokenizer) answer["text"] = tokenizer->decode(completion.ids, /*skip_special_tokens=*/true);
    answer["finish_reason"] = name_of(completion.finish);
    return answer;
  };
}

Answer answer_encode(const InspectOptions& options) {
  auto tokenizer = std::make_shared<text::Tokenizer>(text::Tokenizer::load(options.model_dir));
  return [tokenizer](const Json& question) {
    return Json{{"ids", tokenizer->encode(member<std::string>(question, "text"),
                                          member(question, "add_special_tokens", true))}};
  };
}

Answer answer_decode(const InspectOptions& options) {
  auto tokenizer = std::make_shared<text::Tokenizer>(text::Tokenizer::load(options.model_dir));
  return [tokenizer](const Json& question) {
    return Json{
        {"text", tokenizer->decode(token_ids(question), member(question, "skip_special_tokens", false))}};
  };
}

Answer answer_render(const InspectOptions& options) {
  auto chat_template =
      std::make_shared<std::optional<text::ChatTemplate>>(text::ChatTemplate::load(options.model_dir));
  if (!*chat_template)
    throw Error(ErrorCode::not_found, options.model_dir.string() + " has no chat template");
  return [chat_template](const Json& question) {
    std::optional<text::WallClock> now;
    const auto time = member(question, "now", std::string());
    if (!time.empty()) now = text::parse_wall_clock(time);
    return Json{{"text", (*chat_template)
                             ->render(member<Json>(question, "messages"),
                                      member(question, "add_generation_prompt", true),
                                      member(question, "tools", Json()), now)}};
  };
}

Answer answer_of(const InspectOptions& options) {
  const std::map<std::string_view, Answer (*)(const InspectOptions&)> verbs = {{"logits", answer_logits},
                                                                               {"generate", answer_generate},
                                                                               {"encode", answer_encode},
                                                                               {"decode", answer_decode},
                                                                               {"render", answer_render}};
  const auto verb = verbs.find(options.verb);
  if (verb == verbs.end())
    throw Error(ErrorCode::invalid_argument,
                "unknown verb \"" + options.verb +
                    "\"; there are summary, logits, generate, encode, decode and render");
  return verb->second(options);
}

Json answer_or_error(const Answer& answer, const std::string& line) {
  try {
    const Json question = parse_json(line, "the question");
    if (!question.is_object()) throw Error(ErrorCode::invalid_argument, "the question: not a JSON object");
    return answer(question);
  } catch (const std::exception& error) {
    return {{"error", error.what()}};
  }
}

Json to_json(const engine::ModelSummary& summary) {
  return {{"architecture", summary.architecture},
          {"family", summary.family},
          {"parameters", summary.num_parameters},
          {"stored_dtype", summary.stored_dtype},
          {"layers", summary.num_layers},
          {"hidden_size", summary.hidden_size},
          {"vocabulary", summary.vocab_size},
          {"max_positions", summary.max_positions},
          {"eos_token_ids", summary.eos_token_ids},
          {"tokenizer", summary.no_tokenizer.empty()},
          {"chat_template", summary.has_chat_template},
          {"unsupported", summary.unsupported}};
}

}  // namespace

void inspect(const InspectOptions& options, std::istream& in, std::ostream& out) {
  if (!options.adapter_dir.empty() && options.verb != "logits" && options.verb != "generate")
    throw Error(ErrorCode::invalid_argument, "--adapter is for logits and generate");
  if (options.verb == "summary") {
    out << dump_json(to_json(engine::check_model(options.model_dir))) << std::endl;
    return;
  }
  const Answer answer = answer_of(options);
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) out << dump_json(answer_or_error(answer, line)) << std::endl;
}

}  // namespace rft::worker
