#include "cli/scorer_episodes.h"

#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/program_folder.h"
#include "base/temporary_folder.h"
#include "cli/program.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;

void require_file(const fs::path& file, const std::string& option) {
  if (!fs::is_regular_file(file))
    throw Error(ErrorCode::not_found, file.string() + ": there is no such file", option);
}

std::vector<Json> read_lines(const fs::path& file, int64_t limit) {
  std::vector<Json> lines;
  for_each_json_line(file, [&](Json&& line, size_t) {
    if (limit == 0 || static_cast<int64_t>(lines.size()) < limit) lines.push_back(std::move(line));
  });
  if (lines.empty()) throw Error(ErrorCode::invalid_argument, file.string() + ": holds no record");
  return lines;
}

std::string as_lines(const std::vector<Json>& rows) {
  std::string text;
  for (const Json& row : rows) text += dump_json(row) + "\n";
  return text;
}

fs::path adapter_file(const std::string& name) {
  if (fs::is_regular_file(name)) return fs::absolute(name);
  if (const fs::path file = shipped_plugins_folder() / (name + ".so"); fs::is_regular_file(file)) return file;
  throw Error(
      ErrorCode::not_found,
      "there is no adapter \"" + name + "\": give the path of its file, or the name of one that is shipped",
      "--adapter");
}

// The canonical records {"prompt", "output"?, "record"} of `records`, as a job gets them.
std::vector<Json> convert(const EpisodeSource& source, const std::vector<Json>& records) {
  const TemporaryFolder scratch = TemporaryFolder::in_tmp();
  const fs::path in = scratch.path() / "in.jsonl", out = scratch.path() / "out.jsonl";
  const std::string by_default = records.front().contains("messages") ? "chat" : "jsonl";
  const fs::path adapter = adapter_file(source.adapter.empty() ? by_default : source.adapter);
  const Json options = source.prompt.empty() ? Json::object() : Json{{"prompt", source.prompt}};
  write_file_atomically(in, as_lines(records));
  const ProgramResult result =
      run_program(find_program("rft-plugin-host"),
                  {"convert", adapter.string(), in.string(), out.string(), "--options", dump_json(options)});
  if (result.exit_code != 0) {
    std::string why = parse_json(result.output, "the answer of rft-plugin-host")["error"]["message"];
    if (why.starts_with(in.string())) why.replace(0, in.string().size(), source.data.string());
    throw Error(ErrorCode::invalid_argument, why, "--data");
  }
  return read_lines(out, 0);
}

// One question a line to a verb of `rft-worker inspect`, one answer for each.
std::vector<Json> ask_model(const fs::path& model, const std::string& verb,
                            const std::vector<Json>& questions) {
  const ProgramResult result =
      run_program(find_program("rft-worker"), {"inspect", verb, model.string()}, as_lines(questions));
  if (result.exit_code != 0) throw Error(ErrorCode::unsupported, result.errors, "--model");
  std::vector<Json> answers = json_lines(result, "rft-worker");
  for (const Json& answer : answers)
    if (verb != "summary" && answer.contains("error"))
      throw Error(ErrorCode::unsupported, verb + ": " + answer["error"].get<std::string>(), "--model");
  return answers;
}

// The prompts as a job writes them: by the model's chat template, where it has one.
std::vector<Json> prompt_ids(const fs::path& model, const std::vector<Json>& canonical) {
  const bool chat = ask_model(model, "summary", {Json::object()}).at(0).value("chat_template", false);
  std::vector<Json> questions;
  for (const Json& record : canonical) {
    const Json& prompt = record.at("prompt");
    if (!chat) {
      if (!prompt.is_string())
        throw Error(
            ErrorCode::invalid_argument,
            "the records are messages, but the model has no chat template; use --adapter jsonl --prompt",
            "--model");
      questions.push_back({{"text", prompt}});
    } else {
      const Json user = Json::array({{{"role", "user"}, {"content", prompt}}});
      questions.push_back({{"messages", prompt.is_string() ? user : prompt}});
    }
  }
  if (!chat) return ask_model(model, "encode", questions);
  std::vector<Json> texts = ask_model(model, "render", questions);
  for (Json& text : texts) text["add_special_tokens"] = false;
  return ask_model(model, "encode", texts);
}

Episodes sample(const EpisodeSource& source, const std::vector<Json>& canonical) {
  std::vector<Json> questions = prompt_ids(source.model, canonical);
  for (size_t i = 0; i < questions.size(); ++i) {
    questions[i]["max_new_tokens"] = source.max_new_tokens;
    questions[i]["temperature"] = source.temperature;
    questions[i]["seed"] = source.seed + static_cast<int64_t>(i);
  }
  const std::vector<Json> completions = ask_model(source.model, "generate", questions);
  Episodes episodes{
      {}, std::to_string(completions.size()) + " completions sampled from " + source.model.string()};
  for (size_t i = 0; i < completions.size(); ++i)
    episodes.lines.push_back({{"prompt", canonical[i].at("prompt")},
                              {"completion", completions[i].at("text")},
                              {"record", canonical[i].at("record")},
                              {"finish_reason", completions[i].at("finish_reason")},
                              {"prompt_tokens", questions[i].at("ids").size()},
                              {"completion_tokens", completions[i].at("ids").size()}});
  return episodes;
}

// The record that a line of outputs belongs to: its own, the one it numbers, or the one of its place.
Json record_of(const Json& output, size_t place, const std::vector<Json>& canonical,
               const std::string& where) {
  if (const auto own = output.find("record"); own != output.end())
    return {{"prompt", output.value("prompt", Json(""))}, {"record", *own}};
  const Json index = output.value("index", Json(place));
  if (!index.is_number_unsigned() || index.get<size_t>() >= canonical.size())
    throw Error(ErrorCode::invalid_argument,
                where + ": no record of the data has the index " + dump_json(index) +
                    " (they count from 0 to " + std::to_string(canonical.size() - 1) + ")",
                "--outputs");
  return canonical[index.get<size_t>()];
}

Episodes with_outputs(const EpisodeSource& source, const std::vector<Json>& canonical) {
  require_file(source.outputs, "--outputs");
  Episodes episodes;
  for_each_json_line(source.outputs, [&](Json&& output, size_t line) {
    const std::string where = source.outputs.string() + ":" + std::to_string(line);
    if (!output.contains("completion") || !output["completion"].is_string())
      throw Error(ErrorCode::invalid_argument, where + ": needs a \"completion\" that is a string",
                  "--outputs");
    const Json known = record_of(output, episodes.lines.size(), canonical, where);
    episodes.lines.push_back({{"prompt", known.at("prompt")},
                              {"completion", output["completion"]},
                              {"record", known.at("record")},
                              {"finish_reason", output.value("finish_reason", Json("eos"))}});
  });
  episodes.origin = std::to_string(episodes.lines.size()) + " completions of " + source.outputs.string();
  return episodes;
}

Episodes with_own_outputs(const EpisodeSource& source, const std::vector<Json>& canonical) {
  Episodes episodes;
  for (const Json& record : canonical)
    if (record.contains("output"))
      episodes.lines.push_back({{"prompt", record.at("prompt")},
                                {"completion", record.at("output")},
                                {"record", record.at("record")}});
  if (episodes.lines.empty())
    throw Error(ErrorCode::invalid_argument,
                source.data.string() +
                    ": no record has an \"output\"; give completions with --outputs FILE, or "
                    "sample them with --model M",
                "--data");
  episodes.origin = "the data's own output, " + std::to_string(episodes.lines.size()) + " of " +
                    std::to_string(canonical.size()) + " records (or give --outputs or --model)";
  return episodes;
}

}  // namespace

Episodes make_episodes(const EpisodeSource& source) {
  require_file(source.data, "--data");
  const std::vector<Json> canonical = convert(source, read_lines(source.data, source.limit));
  if (!source.model.empty()) return sample(source, canonical);
  return source.outputs.empty() ? with_own_outputs(source, canonical) : with_outputs(source, canonical);
}

}  // namespace rft::cli
