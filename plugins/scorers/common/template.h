// Templates as OpenAI's graders have them: "{{item.KEY}}" is a value of the record, "{{sample.output_text}}"
// the completion, "{{sample.output_json.KEY}}" a value of the completion read as JSON. What is nested is
// reached by further ".KEY", "[0]" and "['KEY']". A text stands in as it is, anything else as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <rft/scorer.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace templates {

using Json = nlohmann::ordered_json;

// The completion is not of the form that the template asks for: the model's fault, and no error.
class UnfitCompletion : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What templates may refer to, of one episode.
inline Json variables_of(const rft::Episode& episode) {
  const std::string text(episode.completion());
  Json output = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (output.is_discarded()) output = nullptr;
  const Json message = {{"role", "assistant"}, {"content", text}};
  return {{"item", Json::parse(episode.record())},
          {"sample",
           {{"output_text", text},
            {"output_json", std::move(output)},
            {"output_tools", Json::array()},
            {"choices", Json::array({{{"message", message}}})}}}};
}

class Template {
 public:
  // Throws std::invalid_argument for a reference that leads nowhere whatever the record.
  explicit Template(const std::string& text) {
    size_t at = 0;
    for (size_t begin; (begin = text.find("{{", at)) != std::string::npos;) {
      const size_t end = text.find("}}", begin);
      if (end == std::string::npos)
        throw std::invalid_argument("the template \"" + text + "\" has a \"{{\" without its \"}}\"");
      pieces_.push_back({text.substr(at, begin - at), reference(text.substr(begin + 2, end - begin - 2))});
      at = end + 2;
    }
    pieces_.push_back({text.substr(at), {}});
  }

  // Throws std::invalid_argument for a key that the record has not, UnfitCompletion for one of the
  // completion.
  std::string fill(const Json& variables) const {
    std::string filled;
    for (const Piece& piece : pieces_) {
      filled += piece.text;
      if (!piece.path.empty()) filled += value(variables, piece.path);
    }
    return filled;
  }

 private:
  using Path = std::vector<std::string>;
  // A text, and what comes after it.
  struct Piece {
    std::string text;
    Path path;  // empty: nothing
  };

  // The parts of `item.list[0]["a key"].key`.
  static Path split(const std::string& reference) {
    Path path(1);
    char quote = 0;  // that a key stands in; what is in there stands for itself
    for (const char c : reference) {
      const bool begins = path.back().empty();
      if (quote != 0 ? c == quote : begins && (c == '"' || c == '\''))
        quote = quote != 0 ? 0 : c;
      else if (quote == 0 && (c == '.' || c == '['))
        path.emplace_back();
      else if (quote != 0 || (c != ']' && !(begins && c == ' ')))
        path.back() += c;
    }
    for (std::string& part : path) part.erase(part.find_last_not_of(' ') + 1);
    return path;
  }

  static Path reference(const std::string& text) {
    Path path = split(text);
    const std::string what = "{{" + text + "}} in a template";
    for (const auto& part : path)
      if (part.empty()) throw std::invalid_argument(what + " is no reference, such as {{item.answer}}");
    if (path[0] != "item" && path[0] != "sample")
      throw std::invalid_argument(what + " begins with neither item nor sample");
    if (path.size() == 1) throw std::invalid_argument(what + " names no key, such as {{item.answer}}");
    if (path[0] == "sample" && path[1] != "output_text" && path[1] != "output_json" &&
        path[1] != "output_tools" && path[1] != "choices")
      throw std::invalid_argument(what + ": a sample has output_text, output_json, output_tools and choices");
    return path;
  }

  static const Json* step(const Json& value, const std::string& part) {
    if (value.is_object() && value.contains(part)) return &value.at(part);
    if (!value.is_array() || part.size() > 9 || part.find_first_not_of("0123456789") != std::string::npos)
      return nullptr;
    const size_t index = std::stoul(part);
    return index < value.size() ? &value.at(index) : nullptr;
  }

  static std::string value(const Json& variables, const Path& path) {
    const Json* value = &variables;
    std::string walked;
    for (const auto& part : path) {
      if (walked == "sample.output_json" && value->is_null())
        throw UnfitCompletion("the completion is no JSON, and {{sample.output_json." + part + "}} is wanted");
      walked += (walked.empty() ? "" : ".") + part;
      value = step(*value, part);
      if (value != nullptr) continue;
      if (path[0] == "item") throw std::invalid_argument("the record has no {{" + walked + "}}");
      throw UnfitCompletion("the completion has no {{" + walked + "}}");
    }
    if (walked == "sample.output_json" && value->is_null())
      throw UnfitCompletion("the completion is no JSON");
    return value->is_string() ? value->get<std::string>() : value->dump();
  }

  std::vector<Piece> pieces_;
};

// What a completion gets that does not fit: the lowest score, and that it is invalid.
inline void score_unfit(rft::Episode& episode, const UnfitCompletion& unfit, double lowest = 0) {
  episode.set_score(lowest);
  episode.set_valid(false);
  episode.set_reason(unfit.what());
}

// Scores an episode by `score` of the filled templates: 0 and invalid for a completion that does not fit.
template <class Score>
void score_filled(rft::Episode& episode, const Template& input, const Template& reference,
                  const Score& score) {
  try {
    const Json variables = variables_of(episode);
    const std::string wanted = reference.fill(variables);
    episode.set_score(score(input.fill(variables), wanted));
  } catch (const UnfitCompletion& unfit) {
    score_unfit(episode, unfit);
  } catch (const std::exception& error) {
    episode.fail(error.what());
  }
}

}  // namespace templates
