#include "plugins/grader.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"
#include "plugins/composition.h"

namespace rft::plugins {
namespace {

// A grader and its place in the file: empty, or "graders.a: ".
struct Place {
  const Json& grader;
  std::string where;
  std::string name;  // what its source file is called
  const JudgeAccess& access;

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::invalid_argument, where + what);
  }
  std::string text(const std::string& key) const {
    if (!grader.at(key).is_string()) fail("\"" + key + "\" must be a string");
    return grader.at(key).get<std::string>();
  }
};

struct Type {
  std::string name;
  std::vector<std::string> needed, optional;  // keys, beside type and name
  void (*translate)(const Place& place, TranslatedGrader& into);
};

const Type& type_of(const Place& place);
TranslatedGrader translate_one(const Place& place);

// The options of a plugin of the grader's own name are its keys.
void translate_keys(const Place& place, TranslatedGrader& into) {
  const Type& type = type_of(place);
  into.plugin = type.name;
  for (const std::string& key : type.needed) into.options[key] = place.text(key);
}

void translate_string_check(const Place& place, TranslatedGrader& into) {
  translate_keys(place, into);
  const std::string operation = place.text("operation");
  const std::vector<std::string> known = {"eq", "ne", "like", "ilike"};
  if (std::ranges::find(known, operation) == known.end())
    place.fail("\"operation\" is \"" + operation + "\"; it can be eq, ne, like or ilike");
}

void translate_text_similarity(const Place& place, TranslatedGrader& into) {
  translate_keys(place, into);
  const std::string metric = place.text("evaluation_metric");
  const std::vector<std::string> known = {"fuzzy_match", "bleu",    "gleu",    "meteor",  "rouge_1",
                                          "rouge_2",     "rouge_3", "rouge_4", "rouge_5", "rouge_l"};
  if (std::ranges::find(known, metric) != known.end()) return;
  if (metric == "cosine")
    place.fail(
        "\"evaluation_metric\" \"cosine\" needs an embedding model, which is not there; take another one");
  place.fail("\"evaluation_metric\" is \"" + metric + "\", which is unknown" + did_you_mean(metric, known));
}

void translate_python(const Place& place, TranslatedGrader& into) {
  into.plugin = place.name + ".py";
  into.sources[into.plugin] = place.text("source");
}

void translate_multi(const Place& place, TranslatedGrader& into) {
  into.plugin = kComposite;
  into.options["calculate_output"] = place.text("calculate_output");
  const Json& graders = place.grader.at("graders");
  if (!graders.is_object() || graders.empty() || graders.contains("type"))
    place.fail(
        "\"graders\" must be a map of named graders, such as {\"a\": {\"type\": \"string_check\", …}}: the "
        "names are those of calculate_output");
  for (const auto& [name, grader] : graders.items()) {
    const Place inner{grader, place.where + "graders." + name + ": ", name, place.access};
    if (!Formula::is_name(name))
      inner.fail("this name cannot stand in calculate_output: letters, digits and _, and no function's");
    if (grader.is_object() && grader.value("type", Json()) == kComposite)
      inner.fail("a multi cannot hold a multi");
    TranslatedGrader translated = translate_one(inner);
    Json& part = into.options["graders"][name];
    part = {{"plugin", translated.plugin}, {"options", translated.options}};
    if (translated.num_judges > 0) part.update({{"network", true}, {"secrets", place.access.secrets}});
    into.num_judges += translated.num_judges;
    into.sources.merge(translated.sources);
  }
}

// A content of one of OpenAI's messages: a text, a part that is one, or a list of such parts.
std::string text_of_content(const Place& place, const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  if (content.is_array()) {
    std::string text;
    for (const Json& part : content) text += (text.empty() ? "" : "\n") + text_of_content(place, part);
    return text;
  }
  const std::string type = content.is_object() ? content.value("type", "") : "";
  if ((type != "input_text" && type != "output_text" && type != "text") || !content.contains("text") ||
      !content.at("text").is_string())
    place.fail("\"input\" has a content that is no text: " + dump_json(content) +
               "; a judge is told texts alone, \"…\" or {\"type\": \"input_text\", \"text\": \"…\"}");
  return content.at("text").get<std::string>();
}

Json messages_of(const Place& place) {
  const Json& input = place.grader.at("input");
  if (!input.is_array() || input.empty()) place.fail("\"input\" must be a list of messages");
  Json messages = Json::array();
  for (const Json& message : input) {
    if (!message.is_object() || !message.contains("role") || !message.contains("content"))
      place.fail("\"input\" must hold messages with role and content; there is " + dump_json(message));
    for (const auto& [key, value] : message.items())
      if (key != "role" && key != "content" && !(key == "type" && value == "message"))
        place.fail("a message of \"input\" has the key \"" + key + "\", which a judge cannot be given");
    messages.push_back(
        {{"role", message.at("role")}, {"content", text_of_content(place, message.at("content"))}});
  }
  return messages;
}

// By the names of chat completions, where a grader's differ.
Json sampling_of(const Place& place) {
  Json sampling = Json::object();
  const Json given = place.grader.value("sampling_params", Json::object());
  if (!given.is_object()) place.fail("\"sampling_params\" must be an object");
  const std::vector<std::string> known = {"temperature", "top_p", "seed", "reasoning_effort",
                                          "max_completions_tokens"};
  for (const auto& [key, value] : given.items()) {
    if (std::ranges::find(known, key) == known.end())
      place.fail("\"sampling_params\" has no key \"" + key + "\"" + did_you_mean(key, known));
    if (!value.is_null()) sampling[key == "max_completions_tokens" ? "max_completion_tokens" : key] = value;
  }
  return sampling;
}

void translate_judge(const Place& place, TranslatedGrader& into) {
  into.plugin = "judge";
  into.num_judges = 1;
  into.options = {{"model", place.text("model")}, {"messages", messages_of(place)}};
  for (const char* key : {"range", "labels", "passing_labels"})
    if (place.grader.contains(key)) into.options[key] = place.grader.at(key);
  if (const Json sampling = sampling_of(place); !sampling.empty()) into.options["sampling_params"] = sampling;
  for (const auto& [key, value] : place.access.options.items()) {
    if (into.options.contains(key))
      place.fail("[scorer] options: \"" + key + "\" is the grader's to say; leave it out there");
    into.options[key] = value;
  }
}

const std::vector<Type>& types() {
  static const std::vector<Type> all = {
      {"string_check", {"input", "reference", "operation"}, {}, &translate_string_check},
      {"text_similarity",
       {"input", "reference", "evaluation_metric"},
       {"pass_threshold"},  // for evals: a score is not cut at it
       &translate_text_similarity},
      {"python", {"source"}, {"image_tag"}, &translate_python},
      {"multi", {"graders", "calculate_output"}, {}, &translate_multi},
      {"score_model", {"model", "input"}, {"range", "sampling_params", "pass_threshold"}, &translate_judge},
      {"label_model", {"model", "input", "labels", "passing_labels"}, {"sampling_params"}, &translate_judge},
  };
  return all;
}

const Type& type_of(const Place& place) {
  if (!place.grader.is_object()) place.fail("a grader must be a JSON object");
  if (!place.grader.contains("type")) place.fail("a grader needs the key \"type\"");
  const std::string name = place.text("type");
  std::vector<std::string> names;
  for (const Type& type : types()) {
    if (type.name == name) return type;
    names.push_back(type.name);
  }
  place.fail("\"type\" is \"" + name + "\", which is unknown" + did_you_mean(name, names));
}

TranslatedGrader translate_one(const Place& place) {
  const Type& type = type_of(place);
  std::vector<std::string> known = {"type", "name"};
  for (const auto* keys : {&type.needed, &type.optional})
    known.insert(known.end(), keys->begin(), keys->end());
  for (const auto& [key, value] : place.grader.items())
    if (std::ranges::find(known, key) == known.end())
      place.fail("a " + type.name + " grader has no key \"" + key + "\"" + did_you_mean(key, known));
  for (const auto& key : type.needed)
    if (!place.grader.contains(key)) place.fail("a " + type.name + " grader needs the key \"" + key + "\"");
  TranslatedGrader translated;
  type.translate(place, translated);
  return translated;
}

}  // namespace

TranslatedGrader translate_grader(const Json& grader, const JudgeAccess& access) {
  const Place place{grader, "", "grader", access};
  TranslatedGrader translated = translate_one(place);
  if (translated.num_judges == 0 && !access.options.empty())
    place.fail("[scorer] options are for graders that ask a model, and here is none; leave them out");
  return translated;
}

}  // namespace rft::plugins
