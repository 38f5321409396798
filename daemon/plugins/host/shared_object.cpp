// A plugin as a shared object: the host's side of the C ABI in sdk/include/rft.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>

#include "plugins/host/entry.h"
#include "plugins/host/plugin.h"
#include "plugins/note.h"
#include "rft/dataset_reader.h"
#include "rft/summary.h"

namespace rft::plugins::host {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw PluginError(PluginFailure::not_loadable, why); }

std::string_view view(rft_text text) { return {text.data, text.size}; }
rft_text text_of(std::string_view text) { return {text.data(), text.size()}; }

// The host struct that the plugin sees, and the failure text that it left there.
struct HostFace {
  rft_host face{RFT_ABI_VERSION, sizeof(rft_host), &HostFace::fail, &HostFace::log};
  std::string failure;

  static void fail(const rft_host* host, rft_text why) {
    // `face` is the first member.
    const_cast<HostFace*>(reinterpret_cast<const HostFace*>(host))->failure = view(why);
  }
  static void log(const rft_host*, rft_text line) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(std::min<size_t>(line.size, 4096)), line.data);
  }
  std::string take_failure() {
    std::string text = std::move(failure);
    failure.clear();
    return text.empty() ? "it failed without saying why" : text;
  }
};

// Scores on both sides of a batch's that nobody may write.
constexpr size_t kGuardScores = 8;

// Where one batch's scores arrive.
struct ScoreCollector {
  rft_score_sink sink{sizeof(rft_score_sink), nullptr, &reason, &sub_score, &valid, &episode_failed};
  std::vector<double> scores;
  std::vector<wire::EpisodeResult> results;
  std::string misuse;  // an index out of range

  explicit ScoreCollector(size_t size)
      : scores(size + 2 * kGuardScores, std::bit_cast<double>(RFT_UNWRITTEN_SCORE_BITS)), results(size) {
    sink.scores = scores.data() + kGuardScores;
  }

  static wire::EpisodeResult* find(const rft_score_sink* sink, size_t episode) {
    auto* self = const_cast<ScoreCollector*>(reinterpret_cast<const ScoreCollector*>(sink));
    if (episode < self->results.size()) return &self->results[episode];
    self->misuse = "it answered for episode " + std::to_string(episode) + " of a batch of " +
                   std::to_string(self->results.size());
    return nullptr;
  }
  static void reason(const rft_score_sink* sink, size_t episode, rft_text reason) {
    if (auto* found = find(sink, episode)) found->result.reason = view(reason);
  }
  static void sub_score(const rft_score_sink* sink, size_t episode, rft_text name, double value) {
    auto* found = find(sink, episode);
    if (found == nullptr) return;
    for (auto& [known, number] : found->result.sub_scores)
      if (known == view(name)) {
        number = value;
        return;
      }
    found->result.sub_scores.emplace_back(view(name), value);
  }
  static void valid(const rft_score_sink* sink, size_t episode, int32_t valid) {
    if (auto* found = find(sink, episode)) found->result.valid = valid != 0;
  }
  static void episode_failed(const rft_score_sink* sink, size_t episode, rft_text why) {
    auto* found = find(sink, episode);
    if (found == nullptr) return;
    found->outcome = wire::Outcome::failed;
    found->result.error = why.size == 0 ? "the scorer gave no reason" : view(why);
  }

  // Judges every score and answers the results.
  std::vector<wire::EpisodeResult> finish() {
    if (!guards_are_whole())
      throw PluginError(PluginFailure::changed_input, "it wrote past the scores of its batch");
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].outcome != wire::Outcome::failed) judge(results[i], scores[kGuardScores + i]);
      if (results[i].outcome != wire::Outcome::scored) results[i].result.sub_scores.clear();
    }
    return std::move(results);
  }
  bool guards_are_whole() const {
    const auto unwritten = [](double score) {
      return std::bit_cast<uint64_t>(score) == RFT_UNWRITTEN_SCORE_BITS;
    };
    return std::all_of(scores.begin(), scores.begin() + kGuardScores, unwritten) &&
           std::all_of(scores.end() - kGuardScores, scores.end(), unwritten);
  }
  static void judge(wire::EpisodeResult& answer, double score) {
    if (std::bit_cast<uint64_t>(score) == RFT_UNWRITTEN_SCORE_BITS) return;
    answer.outcome = wire::Outcome::not_finite;
    if (!std::isfinite(score)) {
      answer.result.error = not_finite_text("its score", score);
      return;
    }
    for (const auto& [name, value] : answer.result.sub_scores)
      if (!std::isfinite(value)) {
        answer.result.error = not_finite_text("its sub-score \"" + name + "\"", value);
        return;
      }
    answer.outcome = wire::Outcome::scored;
    answer.result.score = score;
  }
};

struct NumberCollector {
  rft_number_sink sink{sizeof(rft_number_sink), &number};
  std::map<std::string, double> numbers;

  static void number(const rft_number_sink* sink, rft_text name, double value) {
    auto* self = const_cast<NumberCollector*>(reinterpret_cast<const NumberCollector*>(sink));
    self->numbers[std::string(view(name))] = value;
  }
};

struct ExampleCollector {
  rft_example_sink sink{sizeof(rft_example_sink), &prompt, &messages, &output};
  wire::Example example;
  int num_prompts = 0;

  static ExampleCollector& of(const rft_example_sink* sink) {
    return *const_cast<ExampleCollector*>(reinterpret_cast<const ExampleCollector*>(sink));
  }
  static void prompt(const rft_example_sink* sink, rft_text text) {
    of(sink).example.prompt = view(text);
    ++of(sink).num_prompts;
  }
  static void messages(const rft_example_sink* sink, rft_text json) {
    prompt(sink, json);
    of(sink).example.is_messages = true;
  }
  static void output(const rft_example_sink* sink, rft_text text) { of(sink).example.output = view(text); }
};

// Where the records of a file arrive.
struct RecordCollector {
  rft_record_sink sink{sizeof(rft_record_sink), &record, nullptr};
  ExampleCollector parts;
  std::optional<std::string> begun;  // the record that the parts are of
  std::vector<wire::Example> found;
  std::string misuse;

  RecordCollector() { sink.example = &parts.sink; }

  static void record(const rft_record_sink* sink, rft_text json) {
    auto* self = const_cast<RecordCollector*>(reinterpret_cast<const RecordCollector*>(sink));
    self->finish_record();
    self->begun = view(json);
  }
  void finish_record() {
    if (!begun) {
      if (parts.num_prompts > 0) misuse = "it answered a prompt before a record";
      return;
    }
    if (parts.num_prompts != 1)
      misuse = "it answered " + std::to_string(parts.num_prompts) + " prompts for one record";
    parts.example.record = std::exchange(begun, std::nullopt);
    found.push_back(std::exchange(parts.example, {}));
    parts.num_prompts = 0;
  }
};

// The C face of the episodes of a frame, and the arrays of pointers that the ABI passes.
struct CEpisodes {
  std::vector<rft_episode> episodes;
  std::vector<const rft_episode*> pointers;

  explicit CEpisodes(const std::vector<wire::EpisodeView>& views) {
    episodes.reserve(views.size());
    for (const auto& episode : views)
      episodes.push_back({text_of(episode.prompt), text_of(episode.completion), text_of(episode.record),
                          text_of(episode.finish_reason), episode.prompt_tokens, episode.completion_tokens,
                          episode.generation_s});
    for (const auto& episode : episodes) pointers.push_back(&episode);
  }
};

class SharedObject : public Plugin {
 public:
  explicit SharedObject(const wire::Open& open) : role_(open.role), note_(checked_note(open)) {
    entry_ = &load_entry(open.path, note_);
    host_ = std::make_unique<HostFace>();
    instance_ = entry_->create(&host_->face, text_of(open.options));
    if (instance_ == nullptr) throw PluginError(PluginFailure::threw, host_->take_failure());
    find_capabilities();
  }

  ~SharedObject() override {
    if (instance_ != nullptr) entry_->destroy(instance_);
  }

  wire::Opened opened() const override {
    return {note_.name, note_.version, summary_ != nullptr, reader_ != nullptr};
  }

  std::vector<wire::EpisodeResult> score(const std::vector<wire::EpisodeView>& views) override {
    const CEpisodes episodes(views);
    ScoreCollector collector(views.size());
    require_ok(scorer_->score(instance_, episodes.pointers.data(), views.size(), &collector.sink));
    if (!collector.misuse.empty()) throw PluginError(PluginFailure::protocol, collector.misuse);
    return collector.finish();
  }

  std::map<std::string, double> summarize(const wire::SummarizeView& view) override {
    const CEpisodes episodes(view.episodes);
    std::vector<rft_scored> scored;
    std::vector<const rft_scored*> pointers;
    scored.reserve(view.results.size());
    pointers.reserve(view.results.size());
    for (const auto& result : view.results)
      scored.push_back({result.score.value_or(std::bit_cast<double>(RFT_UNWRITTEN_SCORE_BITS)),
                        result.score ? 0 : 1, result.valid ? 1 : 0});
    for (const auto& one : scored) pointers.push_back(&one);
    NumberCollector collector;
    require_ok(summary_->summarize(instance_, episodes.pointers.data(), pointers.data(), scored.size(),
                                   &collector.sink));
    for (const auto& [name, value] : collector.numbers)
      if (!std::isfinite(value))
        throw PluginError(PluginFailure::not_finite, not_finite_text("its number \"" + name + "\"", value));
    return collector.numbers;
  }

  std::vector<wire::Conversion> convert(const std::vector<std::string_view>& records) override {
    std::vector<wire::Conversion> conversions;
    conversions.reserve(records.size());
    for (const auto record : records) conversions.push_back(convert_one(record));
    return conversions;
  }

  // The whole file is read at once; what was found is answered in portions.
  wire::Conversion read(std::string_view path) override {
    if (!path.empty()) {
      RecordCollector collector;
      if (reader_->read(instance_, text_of(path), &collector.sink) != RFT_OK)
        return {.refusal = host_->take_failure()};
      collector.finish_record();
      if (!collector.misuse.empty()) throw PluginError(PluginFailure::protocol, collector.misuse);
      found_ = std::move(collector.found);
      num_answered_ = 0;
    }
    return next_portion();
  }

 private:
  wire::Conversion next_portion() {
    wire::Conversion portion;
    for (size_t bytes = 0; num_answered_ < found_.size() && bytes < kMaxPortionBytes; ++num_answered_) {
      bytes += found_[num_answered_].record->size() + found_[num_answered_].prompt.size();
      portion.examples.push_back(std::move(found_[num_answered_]));
    }
    return portion;
  }

  static PluginNote checked_note(const wire::Open& open) {
    PluginNote note = read_note(open.path);
    require_loadable_abi(note, open.path);
    if (note.kind != open.role) refuse("it is a " + note.kind + ", and a " + open.role + " is wanted");
    return note;
  }

  void find_capabilities() {
    if (role_ == RFT_KIND_DATASET_ADAPTER) {
      reader_ = static_cast<const rft_dataset_reader*>(
          entry_->capability(instance_, RFT_CAPABILITY_DATASET_READER));
      constexpr size_t reader_needs = offsetof(rft_dataset_reader, read) + sizeof reader_->read;
      if (reaches(reader_, reader_needs) && reader_->read) return;
      reader_ = nullptr;
      adapter_ = static_cast<const rft_dataset_adapter*>(
          entry_->capability(instance_, RFT_CAPABILITY_DATASET_ADAPTER));
      constexpr size_t needed = offsetof(rft_dataset_adapter, convert) + sizeof adapter_->convert;
      if (!reaches(adapter_, needed) || !adapter_->convert)
        refuse("it has neither rft.dataset-adapter/1 nor rft.dataset-reader/1");
      return;
    }
    scorer_ = static_cast<const rft_scorer*>(entry_->capability(instance_, RFT_CAPABILITY_SCORER));
    if (!reaches(scorer_, offsetof(rft_scorer, score) + sizeof scorer_->score) || !scorer_->score)
      refuse("it has no rft.scorer/1");
    summary_ = static_cast<const rft_summary*>(entry_->capability(instance_, RFT_CAPABILITY_SUMMARY));
    constexpr size_t needed = offsetof(rft_summary, summarize) + sizeof summary_->summarize;
    if (summary_ != nullptr && (!reaches(summary_, needed) || !summary_->summarize))
      refuse("its rft.summary/1 lacks a function");
  }

  void require_ok(rft_status status) {
    if (status != RFT_OK) throw PluginError(PluginFailure::threw, host_->take_failure());
  }

  wire::Conversion convert_one(std::string_view record) {
    ExampleCollector collector;
    if (adapter_->convert(instance_, text_of(record), &collector.sink) != RFT_OK)
      return {.refusal = host_->take_failure()};
    if (collector.num_prompts != 1)
      throw PluginError(PluginFailure::protocol,
                        "it answered " + std::to_string(collector.num_prompts) + " prompts for one record");
    return {.examples = {std::move(collector.example)}};
  }

  std::string role_;
  PluginNote note_;
  const rft_plugin* entry_ = nullptr;
  std::unique_ptr<HostFace> host_;
  void* instance_ = nullptr;
  const rft_scorer* scorer_ = nullptr;
  const rft_summary* summary_ = nullptr;
  const rft_dataset_adapter* adapter_ = nullptr;
  const rft_dataset_reader* reader_ = nullptr;
  std::vector<wire::Example> found_;  // in the file that was read last
  size_t num_answered_ = 0;
};

}  // namespace

std::unique_ptr<Plugin> load_shared_object(const wire::Open& open) {
  return std::make_unique<SharedObject>(open);
}

}  // namespace rft::plugins::host
