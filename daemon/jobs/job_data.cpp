#include "jobs/job_data.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "jobs/folder.h"
#include "jobs/rejection.h"

namespace rft::jobs {
namespace fs = std::filesystem;
namespace {

// The data files of a folder, each through the adapter.
class DataFiles {
 public:
  DataFiles(const config::JobConfig& job, const plugins::AdapterOptions& adapter, const fs::path& input)
      : job_(job), adapter_(adapter), input_(input) {}

  // The file that `[section] key` names, as canonical records.
  void convert(const char* section, const char* key, const std::string& file, const fs::path& output) {
    try {
      open_beneath(input_, file);
    } catch (const Error& error) {
      reject(at_key(job_, section, key, file) + error.what(), key);
    }
    if (adapter_.convert(input_ / file, output) == 0)
      reject(fmt::format("{}: no record in it; [{}] {} needs at least one", file, section, key), key);
  }

 private:
  const config::JobConfig& job_;
  plugins::DatasetAdapter adapter_;  // one for all of them
  const fs::path& input_;
};

std::vector<std::string> read_lines(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw_errno("cannot read " + file.string());
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(std::move(line));
  return lines;
}

void split(const config::JobConfig& job, const fs::path& all, const fs::path& train,
           const fs::path& validation) {
  const auto lines = read_lines(all);
  if (lines.size() < 2)
    reject(fmt::format("{}: a single record, and a validation split is to be cut from it; add records, or "
                       "name a file as [data] validation",
                       job.data.train),
           "validation_split");
  const auto chosen =
      choose_validation(lines.size(), job.data.validation_split, static_cast<uint64_t>(job.training.seed));
  std::string train_text;
  std::string validation_text;
  auto next = chosen.begin();
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool held_out = next != chosen.end() && *next == i;
    if (held_out) ++next;
    (held_out ? validation_text : train_text).append(lines[i]).append("\n");
  }
  write_file_atomically(train, train_text);
  write_file_atomically(validation, validation_text);
}

int64_t output_bytes(const Json& record) { return static_cast<int64_t>(record.value("output", "").size()); }

// A warm-up learns outputs: each record must have one.
void require_outputs(const fs::path& canonical, const std::string& file) {
  size_t record_number = 0;
  for_each_json_line(canonical, [&](Json&& record, size_t) {
    ++record_number;
    if (output_bytes(record) == 0)
      reject(fmt::format("{}: record {} has no `output`, or an empty one, which the warm-up learns; add it, "
                         "name another file as [warmup] data, or set epochs = 0 there",
                         file, record_number),
             "output");
  });
}

// Shots are training records with an output; one more than is shown, since none is shown its own answer.
void require_shots(const fs::path& train, const config::JobConfig& job) {
  if (job.data.shots == 0) return;
  std::set<std::string> prompts;
  for_each_json_line(train, [&](Json&& record, size_t) {
    if (record.contains("output")) prompts.insert(dump_json(record.at("prompt")));
  });
  if (static_cast<int64_t>(prompts.size()) <= job.data.shots)
    reject(fmt::format("{}[data] shots = {} needs {} records of {} that have an `output` and differ in "
                       "their prompts; the training split has {}",
                       job.lines.where("data", "shots"), job.data.shots, job.data.shots + 1, job.data.train,
                       prompts.size()),
           "shots");
}

// What a chat template puts around a prompt, as far as one can tell without rendering it.
constexpr int64_t kTemplateBytes = 200;

int64_t prompt_bytes(const Json& record) {
  const Json& prompt = record.at("prompt");
  return static_cast<int64_t>(prompt.is_string() ? prompt.get_ref<const std::string&>().size()
                                                 : dump_json(prompt).size());
}

}  // namespace

void write_data(const config::JobConfig& job, const plugins::AdapterOptions& adapter, const fs::path& input,
                const fs::path& data) {
  fs::remove_all(data);
  fs::create_directory(data);
  DataFiles files(job, adapter, input);
  const fs::path train = data / "train.jsonl";
  const fs::path validation = data / "validation.jsonl";
  if (job.data.validation.empty()) {
    const fs::path all = data / ".all.jsonl";
    files.convert("data", "train", job.data.train, all);
    split(job, all, train, validation);
    fs::remove(all);
  } else {
    files.convert("data", "train", job.data.train, train);
    files.convert("data", "validation", job.data.validation, validation);
  }
  require_shots(train, job);
  if (!job.data.test.empty()) files.convert("data", "test", job.data.test, data / "test.jsonl");
  if (job.warmup.epochs == 0) return;
  const fs::path warmup = data / "warmup.jsonl";
  if (job.warmup.data.empty())
    fs::copy_file(train, warmup);
  else
    files.convert("warmup", "data", job.warmup.data, warmup);
  require_outputs(warmup, job.warmup.data.empty() ? job.data.train : job.warmup.data);
}

memory::DataExtent extent_of(const fs::path& data, const config::JobConfig& job,
                             const engine::ModelConfig& model, bool has_chat_template) {
  memory::DataExtent extent;
  int64_t longest_prompt = 0, longest_output = 0, longest_shot = 0;  // in bytes
  for (const std::string split : {"train", "validation", "test", "warmup"}) {
    const fs::path file = data / (split + ".jsonl");
    if (!fs::exists(file)) continue;
    int64_t num_records = 0;
    for_each_json_line(file, [&](Json&& record, size_t) {
      ++num_records;
      longest_prompt = std::max(longest_prompt, prompt_bytes(record));
      if (split == "warmup") longest_output = std::max(longest_output, output_bytes(record));
      if (split == "train")
        longest_shot = std::max(longest_shot, prompt_bytes(record) + output_bytes(record));
    });
    extent.num_bytes += static_cast<int64_t>(fs::file_size(file));
    if (split == "validation" || split == "test")
      extent.num_evaluated = std::max(extent.num_evaluated, num_records);
  }
  const int64_t around = has_chat_template ? kTemplateBytes : 0;
  longest_prompt +=
      around + job.data.shots * (longest_shot + around) + static_cast<int64_t>(job.data.system.size());
  // A longer one is refused when it is tokenised.
  const int64_t room = std::max<int64_t>(1, model.max_positions - job.rollout.max_new_tokens);
  extent.longest_prompt = std::min(memory::guess_tokens(longest_prompt, model.vocab_size), room);
  extent.longest_output = memory::guess_tokens(longest_output, model.vocab_size);
  return extent;
}

std::vector<size_t> choose_validation(size_t num_records, double share, uint64_t seed) {
  // Fisher–Yates by hand: std::shuffle may differ between standard libraries, and the split may not.
  std::vector<size_t> order(num_records);
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937_64 random(seed);
  for (size_t i = num_records; i > 1; --i) std::swap(order[i - 1], order[random() % i]);
  const auto wanted = static_cast<size_t>(std::llround(share * static_cast<double>(num_records)));
  order.resize(std::clamp<size_t>(wanted, 1, num_records - 1));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace rft::jobs
