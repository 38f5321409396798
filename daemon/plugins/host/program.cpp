// A scorer or an adapter that is a program: a child of this process that reads one JSON object a line on its
// stdin, an episode or a record each, and answers each with one line on its stdout. docs/scorers.md and
// docs/adapters.md are the contracts. A Python file runs under python_shim.py, which speaks the same lines
// for its functions.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/json.h"
#include "base/pipe.h"
#include "base/program_folder.h"
#include "base/subprocess.h"
#include "plugins/host/answer_line.h"
#include "plugins/host/plugin.h"
#include "plugins/view.h"

namespace rft::plugins::host {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxLineBytes = size_t{16} << 20;
constexpr int kMaxReads = 16;
constexpr int kEndWaitMs = 1000;   // for a program that was told to end
constexpr int kExitWaitMs = 5000;  // between the end of its output and of itself, on a busy machine

fs::path shim_path() {
  const fs::path shim = program_folder().parent_path() / "share/rftd/python_shim.py";
  if (fs::exists(shim)) return shim;
  throw PluginError(PluginFailure::not_loadable,
                    shim.string() + " is missing: the installation is not complete");
}

std::vector<std::string> program_argv(const wire::Open& open) {
  if (open.implementation == "command") return {open.path};
  if (open.python.empty()) return {"/usr/bin/env", "python3", shim_path().string(), open.path, open.role};
  return {open.python, shim_path().string(), open.path, open.role};
}

// Why an executable did not start: mostly because of its first line.
std::string why_not_started(const wire::Open& open, const std::string& error) {
  char beginning[256] = {};
  std::ifstream(open.path, std::ios::binary).read(beginning, sizeof beginning - 1);
  const std::string line = std::string(beginning).substr(0, std::string_view(beginning).find('\n'));
  if (open.implementation != "command" || line.starts_with("\177ELF")) return error;
  if (!line.starts_with("#!"))
    return "it cannot be run: its first line must name its interpreter, such as #!/bin/sh";
  if (!fs::exists(named_interpreter(open.path)))
    return "it cannot be run: the interpreter that its first line names is not there: " +
           dump_json(Json(line));
  return error;
}

std::string episode_line(const wire::EpisodeView& episode, size_t index, size_t of) {
  Json line;
  line["index"] = index;
  line["of"] = of;
  line["prompt"] = episode.prompt;
  line["completion"] = episode.completion;
  line["record"] = episode.record.empty() ? Json::object() : parse_json(episode.record, "a record");
  line["finish_reason"] = episode.finish_reason;
  line["prompt_tokens"] = episode.prompt_tokens;
  line["completion_tokens"] = episode.completion_tokens;
  line["generation_s"] = episode.generation_s;
  return dump_json(line);
}

std::string record_line(std::string_view record, size_t index, size_t of) {
  return dump_json({{"index", index}, {"of", of}, {"record", parse_json(record, "a record")}});
}

class Program : public Plugin {
 public:
  explicit Program(const wire::Open& open)
      : name_(fs::path(open.path).filename().string()), process_([&] {
          Pipe to, from;
          ProcessOptions options;
          options.argv = program_argv(open);
          options.environment = {
              {open.role == "scorer" ? "RFT_SCORER_OPTIONS" : "RFT_ADAPTER_OPTIONS", open.options}};
          options.descriptors = {{to.read.get(), 0}, {from.write.get(), 1}};
          options.dies_with_parent = true;
          input_ = std::move(to.write);
          output_ = std::move(from.read);
          ::fcntl(input_.get(), F_SETFL, O_NONBLOCK);
          ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
          return start(options, open);
        }()) {
    if (open.implementation == "python") await_ready();
  }

  // Its end of the connection tells the program to end; it has as long as this process has.
  ~Program() override {
    input_.reset();
    process_.wait(kEndWaitMs);
  }

  wire::Opened opened() const override { return {name_, "", has_summary_, reads_files_}; }

  std::vector<wire::EpisodeResult> score(const std::vector<wire::EpisodeView>& episodes) override {
    std::string lines;
    for (size_t i = 0; i < episodes.size(); ++i)
      lines += episode_line(episodes[i], i, episodes.size()) + "\n";
    send(std::move(lines));
    std::vector<wire::EpisodeResult> results;
    while (results.size() < episodes.size()) results.push_back(parse_score(next_line()));
    return results;
  }

  std::map<std::string, double> summarize(const wire::SummarizeView& view) override {
    Json line{{"summarize", Json::array()}};
    for (size_t i = 0; i < view.episodes.size(); ++i) {
      Json episode = Json::parse(episode_line(view.episodes[i], i, view.episodes.size()));
      const ScoreResult& result = view.results[i];
      episode["score"] = result.score ? Json(*result.score) : Json();
      episode["valid"] = result.valid;
      line["summarize"].push_back(std::move(episode));
    }
    send(dump_json(line) + "\n");
    return parse_numbers(next_line());
  }

  std::vector<wire::Conversion> convert(const std::vector<std::string_view>& records) override {
    std::string lines;
    for (size_t i = 0; i < records.size(); ++i) lines += record_line(records[i], i, records.size()) + "\n";
    send(std::move(lines));
    std::vector<wire::Conversion> conversions;
    while (conversions.size() < records.size()) conversions.push_back(parse_conversion(next_line()));
    return conversions;
  }
  // It answers the file's examples a line each as it finds them, and then null.
  wire::Conversion read(std::string_view path) override {
    if (!path.empty()) {
      send(dump_json({{"read", path}}) + "\n");
      reads_ = true;
    }
    wire::Conversion portion;
    for (size_t bytes = 0; reads_ && bytes < kMaxPortionBytes;) {
      const std::string line = next_line();
      bytes += line.size();
      wire::Conversion one = parse_conversion(line);
      if (one.refusal) return one;
      reads_ = !one.examples.empty();
      std::ranges::move(one.examples, std::back_inserter(portion.examples));
    }
    return portion;
  }

 private:
  static Subprocess start(const ProcessOptions& options, const wire::Open& open) {
    try {
      return Subprocess(options);
    } catch (const Error& error) {
      throw PluginError(PluginFailure::not_loadable, why_not_started(open, error.what()));
    }
  }

  // The shim says that the file is loaded, or why it is not, or what it says to its options.
  void await_ready() {
    const std::string line = next_line();
    const Json said = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    const auto has = [&](const char* key) { return said.is_object() && said.contains(key); };
    if (has("error")) throw PluginError(PluginFailure::not_loadable, said["error"].get<std::string>());
    if (has("refused")) throw PluginError(PluginFailure::threw, said["refused"].get<std::string>());
    if (!has("ready"))
      throw PluginError(PluginFailure::protocol, "it answered before it was asked: " + dump_json(Json(line)));
    has_summary_ = said.value("summary", false);
    reads_files_ = said.value("reads", false);
  }

  // Gives the program `lines` to read, as far as it takes them; next_line() goes on with the rest.
  void send(std::string lines) {
    read_available();
    if (received_.size() > num_taken_ || !unsent_.empty()) fail_unasked();
    received_.clear();
    num_taken_ = 0;
    num_answered_ = 0;
    unsent_ = std::move(lines);
    unsent_view_ = unsent_;
  }

  // The program's next line. It may answer each line at once or all at the end, so that what is still to be
  // written is written while its output is read.
  std::string next_line() {
    for (size_t searched = num_taken_;;) {
      if (const size_t end = received_.find('\n', searched); end != std::string::npos) {
        std::string line = received_.substr(num_taken_, end - num_taken_);
        num_taken_ = end + 1;
        ++num_answered_;
        return line;
      }
      searched = received_.size();
      if (searched - num_taken_ > kMaxLineBytes)
        throw PluginError(PluginFailure::protocol, "it answered a line longer than 16 MiB");
      if (ended_) fail_ended();
      pollfd watched[] = {{output_.get(), POLLIN, 0}, {unsent_.empty() ? -1 : input_.get(), POLLOUT, 0}};
      if (::poll(watched, 2, -1) < 0 && errno != EINTR) throw_errno("cannot wait for a plugin's program");
      if (watched[1].revents != 0) write_some();
      if (watched[0].revents != 0) read_available();
    }
  }

  void write_some() {
    const ssize_t written = ::write(input_.get(), unsent_view_.data(), unsent_view_.size());
    if (written >= 0)
      unsent_view_.remove_prefix(static_cast<size_t>(written));
    else if (errno == EPIPE)
      unsent_view_ = {};  // it reads no more; whether it answers all the same shows on its output
    else if (errno != EAGAIN && errno != EINTR)
      throw_errno("cannot write to a plugin's program");
    if (unsent_view_.empty()) unsent_.clear();
  }

  // Takes what is there, up to a bound: a program may write faster than this reads.
  void read_available() {
    char buffer[1 << 16];
    for (int rounds = 0; rounds < kMaxReads; ++rounds) {
      const ssize_t got = ::read(output_.get(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got == 0) ended_ = true;
      if (got <= 0) return;
      received_.append(buffer, static_cast<size_t>(got));
    }
  }

  // Between two batches a program has nothing to say but that it fails.
  [[noreturn]] void fail_unasked() {
    const std::string line = received_.substr(num_taken_, received_.find('\n', num_taken_) - num_taken_);
    require_no_batch_error(line);
    throw PluginError(PluginFailure::protocol, "it answered more lines than it was asked");
  }

  [[noreturn]] void fail_ended() {
    const std::string answered = " after " + std::to_string(num_answered_) + " lines of this batch";
    if (const auto status = process_.wait(kExitWaitMs))
      throw PluginError(PluginFailure::crashed, "its program " + status->text() + answered);
    throw PluginError(PluginFailure::protocol, "its program closed its output" + answered);
  }

  std::string name_;
  UniqueFd input_;
  UniqueFd output_;
  Subprocess process_;
  std::string unsent_;
  std::string_view unsent_view_;  // what of it the program has not taken
  std::string received_;
  size_t num_taken_ = 0;  // bytes of `received_` that were answered as lines
  size_t num_answered_ = 0;
  bool ended_ = false;
  bool has_summary_ = false;
  bool reads_files_ = false;
  bool reads_ = false;  // a file, and has not come to its end
};

}  // namespace

std::unique_ptr<Plugin> start_program(const wire::Open& open) { return std::make_unique<Program>(open); }

}  // namespace rft::plugins::host
