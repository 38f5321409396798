// Mixes the records of several files of the job by weight. The data file is a list of them; README.md shows
// one.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <numeric>
#include <random>
#include <rft/reader.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../common/job_path.h"
#include "../common/chat_prompt.h"
#include "../common/files.h"
#include "../common/text_prompt.h"

namespace {

namespace fs = std::filesystem;
using files::Json;

void allow_only(const Json& object, const std::string& what, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) throw std::invalid_argument(what + " must be an object");
  for (const auto& [key, value] : object.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw std::invalid_argument(what + " has the unknown key \"" + key + "\"");
}

template <class T>
T value_of(const Json& object, const std::string& what, const char* key, T otherwise) {
  if (!object.contains(key)) return otherwise;
  try {
    return object.at(key).get<T>();
  } catch (const Json::exception&) {
    throw std::invalid_argument("\"" + std::string(key) + "\" of " + what + " is of the wrong type");
  }
}

// One of the files, and what of it is in the mix.
struct Source {
  std::string path;  // in the job folder
  std::string format;
  double weight = 1;
  TextPrompt prompt;
  table::ColumnNames names;
  std::vector<std::pair<std::string, rft::Example>> records{};
  size_t num_wanted = 0;
};

void require_inside(const std::string& path, const std::string& what) {
  if (!is_inside_job(path))
    throw std::invalid_argument("\"path\" of " + what + " must be a path inside the job folder");
  if (!fs::is_regular_file(path))
    throw std::invalid_argument(path + ", the \"path\" of " + what + ", is no file of the job folder");
}

Source source_of(const Json& entry, size_t number, const std::string& default_prompt) {
  const std::string what = "source " + std::to_string(number);
  allow_only(entry, what, {"path", "weight", "format", "prompt", "task", "input", "output"});
  Source source{.path = value_of<std::string>(entry, what, "path", ""),
                .format = value_of<std::string>(entry, what, "format", ""),
                .weight = value_of(entry, what, "weight", 1.0),
                .prompt = TextPrompt(value_of(entry, what, "prompt", default_prompt)),
                .names = {}};
  require_inside(source.path, what);
  if (!(source.weight > 0) || !std::isfinite(source.weight))
    throw std::invalid_argument("\"weight\" of " + what + " must be above 0");
  if (source.format.empty()) source.format = fs::path(source.path).extension().string().erase(0, 1);
  const bool is_table = source.format == "csv" || source.format == "tsv";
  if (!is_table && source.format != "jsonl" && source.format != "chat")
    throw std::invalid_argument("\"format\" of " + what + " must be jsonl, chat, csv or tsv, and is \"" +
                                source.format + "\"");
  for (const char* key : {"task", "input", "output"}) {
    if (!entry.contains(key)) continue;
    if (!is_table)
      throw std::invalid_argument("\"" + std::string(key) + "\" of " + what +
                                  " names a column, and the file is no table");
    source.names.emplace_back(key, value_of<std::string>(entry, what, key, ""));
  }
  return source;
}

void load(Source& source) {
  const auto take = [&](size_t line, const Json& record) {
    std::string json = files::json_text(source.path, line, record);
    auto example = files::at_line(source.path, line, [&] {
      return source.format == "chat" ? chat_prompt::of(json) : source.prompt.of(json);
    });
    source.records.emplace_back(std::move(json), std::move(example));
  };
  if (source.format == "csv")
    files::read_table(source.path, ',', source.names, take);
  else if (source.format == "tsv")
    files::read_table(source.path, '\t', source.names, take);
  else
    files::read_json_lines(source.path, take);
  if (source.records.empty()) throw std::invalid_argument(source.path + ": there is no record in it");
}

// How many records of each source: its share of `num_records`, by the largest remainders. Without a number,
// as many as there are without taking a record twice.
void divide(std::vector<Source>& sources, size_t num_records) {
  const double total = std::accumulate(sources.begin(), sources.end(), 0.0,
                                       [](double sum, const Source& source) { return sum + source.weight; });
  double wanted = num_records > 0 ? static_cast<double>(num_records) : INFINITY;
  if (num_records == 0)
    for (const Source& source : sources)
      wanted = std::min(wanted, static_cast<double>(source.records.size()) * total / source.weight);
  // 10 / 0.1 is a little less than 100.
  const auto num_wanted = static_cast<size_t>(std::floor(wanted * (1 + 1e-12)));
  std::vector<std::pair<double, size_t>> remainders;
  size_t given = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    const double share = static_cast<double>(num_wanted) * sources[i].weight / total;
    sources[i].num_wanted = static_cast<size_t>(std::floor(share));
    given += sources[i].num_wanted;
    remainders.emplace_back(std::floor(share) - share, i);
  }
  std::stable_sort(remainders.begin(), remainders.end());
  for (size_t i = 0; given + i < num_wanted; ++i) ++sources[remainders[i].second].num_wanted;
}

// Fisher–Yates by hand: std::shuffle may differ between standard libraries.
template <class T>
void shuffle(std::vector<T>& items, std::mt19937_64& random) {
  for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random() % i]);
}

using Chosen = const std::pair<std::string, rft::Example>*;

// Each source in an order of its own, begun anew where more is wanted than it has; then all mixed.
std::vector<Chosen> mix(const std::vector<Source>& sources, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Chosen> mixed;
  for (const Source& source : sources) {
    std::vector<size_t> order(source.records.size());
    std::iota(order.begin(), order.end(), size_t{0});
    for (size_t i = 0; i < source.num_wanted; ++i) {
      if (i % order.size() == 0) shuffle(order, random);
      mixed.push_back(&source.records[order[i % order.size()]]);
    }
  }
  shuffle(mixed, random);
  return mixed;
}

}  // namespace

class Multi : public rft::DatasetReader {
 public:
  explicit Multi(std::string_view text) {
    const rft::Fields options(text);
    options.allow_only({"prompt"});
    prompt_ = options.text("prompt").value_or("");
  }

  void read(const std::string& path, rft::Examples& examples) override {
    const Json list = parse(path);
    std::vector<Source> sources;
    try {
      sources = sources_of(list);
    } catch (const std::exception& error) {
      throw std::invalid_argument(path + ": " + error.what());
    }
    for (Source& source : sources) load(source);
    divide(sources, value_of<size_t>(list, "the list", "records", 0));
    for (const Chosen chosen : mix(sources, value_of<uint64_t>(list, "the list", "seed", 0)))
      examples.add(chosen->first, chosen->second);
  }

 private:
  static Json parse(const std::string& path) {
    try {
      return Json::parse(files::read_whole(path));
    } catch (const Json::exception& error) {
      throw std::invalid_argument(path + ": not valid JSON: " + files::reason_of(error));
    }
  }

  std::vector<Source> sources_of(const Json& list) const {
    allow_only(list, "the list", {"sources", "seed", "records"});
    for (const char* key : {"seed", "records"})
      if (list.contains(key) && !list[key].is_number_unsigned())
        throw std::invalid_argument("\"" + std::string(key) + "\" must be a whole number, 0 or more");
    if (!list.contains("sources") || !list["sources"].is_array() || list["sources"].empty())
      throw std::invalid_argument(
          "\"sources\" must list the files to mix, such as [{\"path\": \"a.jsonl\"}]");
    std::vector<Source> sources;
    for (const Json& entry : list["sources"])
      sources.push_back(source_of(entry, sources.size() + 1, prompt_));
    return sources;
  }

  std::string prompt_;
};

RFT_DATASET_READER(Multi, "multi", "1.0.0")
