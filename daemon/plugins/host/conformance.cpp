#include "plugins/host/conformance.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/pipe.h"
#include "base/subprocess.h"
#include "plugins/host/conformance_subject.h"
#include "plugins/plugin_error.h"
#include "plugins/wire.h"

namespace rft::plugins::host {
namespace fs = std::filesystem;
namespace {

constexpr size_t kHugeBatch = 10'000;
constexpr size_t kHugeText = size_t{1} << 20;

struct Skipped : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a check works with.
struct Trial {
  const ConformanceOptions& options;
  std::vector<Sample> samples;
};

std::vector<Sample> samples_of(const fs::path& data) {
  std::vector<Sample> samples;
  const auto add = [&](const Json& record) {
    const Json output = record.value("output", Json("an answer"));
    samples.push_back({dump_json(record.value("input", Json("a question"))),
                       output.is_string() ? output.get<std::string>() : dump_json(output),
                       dump_json(record)});
  };
  if (data.empty())
    for (const char* output : {"yes", "no", "perhaps"}) add({{"input", "a question"}, {"output", output}});
  else
    for_each_json_line(data, [&](Json&& record, size_t) {
      if (samples.size() < 64) add(record);
    });
  if (samples.empty()) throw Error(ErrorCode::invalid_argument, data.string() + ": holds no record");
  return samples;
}

void check_note(const Trial& trial) {
  const PluginNote note = read_note(trial.options.plugin);
  if (const std::string file = trial.options.plugin.filename(); file != note.name + ".so")
    throw Broken("its note says that it is \"" + note.name + "\", and its file is " + file);
}
void check_versions(const Trial& trial) { Subject(trial.options.plugin, trial.options.options); }

void check_life(const Trial& trial) {
  Subject subject(trial.options.plugin, trial.options.options);
  subject.create();
  subject.destroy();
}
void check_destroy_nothing(const Trial& trial) {
  Subject(trial.options.plugin, trial.options.options).destroy_nothing();
}

// Twice, so that what the first call was given is gone when the second comes; destroy() comes later still.
void check_memory(const Trial& trial) {
  Subject subject(trial.options.plugin, trial.options.options);
  subject.create();
  subject.run(trial.samples);
  subject.run(trial.samples);
  subject.destroy();
}

void check_empty(const Trial& trial) {
  Subject subject(trial.options.plugin, trial.options.options);
  subject.create();
  if (!subject.is_scorer()) throw Skipped("an adapter gets its records one by one");
  try {
    subject.run({});
  } catch (const Refused& refusal) {
    throw Broken(std::string("it fails: ") + refusal.what());
  }
}

void check_huge(const Trial& trial) {
  Subject subject(trial.options.plugin, trial.options.options);
  subject.create();
  std::vector<Sample> many;
  for (size_t i = 0; i < kHugeBatch; ++i) many.push_back(trial.samples[i % trial.samples.size()]);
  many.back().completion = std::string(kHugeText, 'a');
  subject.run(many);
}

void check_unicode(const Trial& trial) {
  Subject subject(trial.options.plugin, trial.options.options);
  subject.create();
  subject.run(trial.samples);  // what it refuses of plain text says nothing of this
  const std::string all[] = {"",
                             " ",
                             std::string("a\0b", 3),
                             "äöü ß",
                             "日本語の文",
                             "😀👩‍👩‍👧",
                             "e\u0301\u0301\u0301",
                             "‏עברית ‎العربية",
                             "\uFEFF\uFFFD\u2028",
                             "\r\n\t\x01\x7f",
                             "\\\"{}[]\\u0000"};
  for (const std::string& text : all) {
    Sample sample = trial.samples.front();
    sample.completion = text;
    Json record = Json::parse(sample.record);
    record["text in many scripts"] = text;
    sample.record = dump_json(record);
    try {
      subject.run({sample});
    } catch (const Refused& refusal) {
      throw Broken("it fails for the completion " + dump_json(Json(text)) + ": " + refusal.what());
    }
  }
}

// The plugin-thread is one thread, and need not be the process's first.
void check_threads(const Trial& trial) {
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      check_memory(trial);
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

// In one batch, then one by one from the last to the first, then by a second instance.
void check_determinism(const Trial& trial) {
  Subject subject(trial.options.plugin, trial.options.options);
  subject.create();
  if (subject.varies()) throw Skipped("it declares RFT_SCORER_VARIES");
  const auto first = subject.run(trial.samples);
  for (size_t i = trial.samples.size(); i-- > 0;)
    if (subject.run({trial.samples[i]}).front() != first[i])
      throw Broken("record " + std::to_string(i) + " gets another answer alone than in a batch");
  subject.destroy();
  subject.create();
  if (subject.run(trial.samples) != first) throw Broken("a second instance answers otherwise");
}

void check_leaks(const Trial& trial) {
  using LeakCheck = int (*)();
  const auto leak_check =
      reinterpret_cast<LeakCheck>(::dlsym(RTLD_DEFAULT, "__lsan_do_recoverable_leak_check"));
  if (leak_check == nullptr) throw Skipped("it is not built with -fsanitize=address");
  check_memory(trial);
  if (leak_check() != 0) throw Broken("it leaks; the report stands above");
}

struct Check {
  const char* name;
  const char* rule;
  void (*run)(const Trial&);
};
constexpr std::array kChecks = {
    Check{"note", "plugin.h, NOTE", check_note},
    Check{"versions", "plugin.h, rft_plugin", check_versions},
    Check{"life", "plugin.h, LIFE OF A PLUGIN", check_life},
    Check{"destroy without create", "plugin.h, rft_plugin.destroy", check_destroy_nothing},
    Check{"lifetimes", "plugin.h, MEMORY", check_memory},
    Check{"empty batch", "scorer.h, rft_scorer.score", check_empty},
    Check{"huge batch", "scorer.h, rft_scorer.score", check_huge},
    Check{"unicode", "plugin.h, TEXTS", check_unicode},
    Check{"threads", "plugin.h, THREADS", check_threads},
    Check{"determinism", "scorer.h, RFT_SCORER_VARIES", check_determinism},
    Check{"leaks", "plugin.h, rft_plugin.destroy", check_leaks},
};

[[noreturn]] void answer(const char* verdict, const std::string& detail) {
  const std::string line = dump_json({{"verdict", verdict}, {"detail", detail}});
  [[maybe_unused]] const ssize_t written = ::write(wire::kHostSocket, line.data(), line.size());
  ::_exit(0);
}

// The address sanitizer's runtime that the plugin wants, which has to come before all other libraries.
std::string sanitizer_runtime(const fs::path& plugin) {
  const std::string bytes = read_file(plugin);
  const size_t begin = bytes.find("libasan.so.");
  return begin == std::string::npos ? "" : std::string(bytes.c_str() + begin);
}

Json verdict_of(Subprocess& child, int read_end, double timeout_s) {
  const auto status = child.wait(static_cast<int>(timeout_s * 1000));
  if (!status) return {{"verdict", "failed"}, {"detail", "no end within " + dump_json(timeout_s) + " s"}};
  std::string text(1 << 16, '\0');  // as much as a pipe holds
  text.resize(static_cast<size_t>(std::max<ssize_t>(::read(read_end, text.data(), text.size()), 0)));
  const Json verdict = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (verdict.is_object()) return verdict;
  return {{"verdict", "failed"}, {"detail", "its process " + status->text()}};
}

Json run_in_child(const Check& check, const ConformanceOptions& options, const std::string& runtime) {
  Pipe verdict;
  ProcessOptions process;
  process.argv = {fs::read_symlink("/proc/self/exe"),
                  "conform",
                  options.plugin,
                  "--check",
                  check.name,
                  "--options",
                  options.options};
  if (!options.data.empty()) process.argv.insert(process.argv.end(), {"--data", options.data});
  if (!runtime.empty()) process.environment = {{"LD_PRELOAD", runtime}};
  process.descriptors = {{verdict.write.get(), wire::kHostSocket}, {STDERR_FILENO, STDOUT_FILENO}};
  process.dies_with_parent = true;
  Subprocess child(process);
  verdict.write.reset();
  Json row = {{"check", check.name}};
  row.update(verdict_of(child, verdict.read.get(), options.timeout_s));
  row["rule"] = check.rule;
  return row;
}

}  // namespace

void answer_and_exit(const char* why) { answer("failed", why); }

Json check_conformance(const ConformanceOptions& options) {
  const std::string runtime = sanitizer_runtime(options.plugin);
  Json rows = Json::array();
  for (const Check& check : kChecks) rows.push_back(run_in_child(check, options, runtime));
  return rows;
}

void run_check(const std::string& name, const ConformanceOptions& options) {
  try {
    const auto check = std::ranges::find_if(kChecks, [&](const Check& known) { return known.name == name; });
    check->run({options, samples_of(options.data)});
    answer("ok", "");
  } catch (const Skipped& why) {
    answer("skipped", why.what());
  } catch (const Refused& refusal) {
    if (options.data.empty())
      answer("skipped", std::string("it refuses made-up records or options (") + refusal.what() +
                            "); give --data and --options");
    answer("failed", std::string("it fails: ") + refusal.what());
  } catch (const std::exception& error) {
    answer("failed", error.what());
  }
}

}  // namespace rft::plugins::host
