#include "plugins/host/conformance.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/pipe.h"
#include "base/subprocess.h"
#include "plugins/host/confinement.h"
#include "plugins/host/conformance_subject.h"
#include "plugins/isolation.h"
#include "plugins/launch.h"
#include "plugins/plugin_error.h"
#include "plugins/wire.h"

namespace rft::plugins::host {
namespace fs = std::filesystem;
namespace {

constexpr size_t kHugeBatch = 10'000;

// What a check works with.
struct Trial {
  const ConformanceOptions& options;

  // Records; or, for one that reads files itself, its file.
  std::vector<Sample> samples(const Subject& subject) const {
    if (!subject.is_reader()) return samples_of(options.data);
    if (options.data.empty()) throw Skipped("it reads files of a form of its own: give one with --data");
    return {{.record = options.data.filename()}};
  }
};

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
  const auto samples = trial.samples(subject);
  subject.run(samples);
  subject.run(samples);
  subject.destroy();
}

void check_empty(const Trial& trial) {
  Subject subject(trial.options.plugin, trial.options.options);
  subject.create();
  if (!subject.is_scorer()) throw Skipped("an adapter gets its records, or its files, one by one");
  try {
    subject.run({});
  } catch (const Refused& refusal) {
    throw Broken(std::string("it fails: ") + refusal.what());
  }
}

void require_records(const Subject& subject) {
  if (subject.is_reader()) throw Skipped("a reader is given no records");
}

void check_huge(const Trial& trial) {
  Subject subject(trial.options.plugin, trial.options.options);
  subject.create();
  require_records(subject);
  const auto samples = trial.samples(subject);
  std::vector<Sample> many;
  for (size_t i = 0; i < kHugeBatch; ++i) many.push_back(samples[i % samples.size()]);
  many.back().completion = std::string(kHugeText, 'a');
  subject.run(many);
}

void check_unicode(const Trial& trial) {
  Subject subject(trial.options.plugin, trial.options.options);
  subject.create();
  require_records(subject);
  const auto samples = trial.samples(subject);
  subject.run(samples);  // what it refuses of plain text says nothing of this
  for (const std::string& text : texts_in_many_scripts()) {
    Sample sample = samples.front();
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
  const auto samples = trial.samples(subject);
  const auto first = subject.run(samples);
  for (size_t i = samples.size(); i-- > 0;)
    if (subject.run({samples[i]}).front() != first[i])
      throw Broken("record " + std::to_string(i) + " gets another answer alone than in a batch");
  subject.destroy();
  subject.create();
  if (subject.run(samples) != first) throw Broken("a second instance answers otherwise");
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
  auto status = child.wait(static_cast<int>(timeout_s * 1000));
  if (!status) return {{"verdict", "failed"}, {"detail", "no end within " + dump_json(timeout_s) + " s"}};
  std::string text(1 << 16, '\0');  // as much as a pipe holds
  text.resize(static_cast<size_t>(std::max<ssize_t>(::read(read_end, text.data(), text.size()), 0)));
  const Json verdict = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (verdict.is_object()) return verdict;
  // bubblewrap answers for a process that a signal ended as a shell does.
  if (status->exit_code.value_or(0) > 128) status = ExitStatus{std::nullopt, *status->exit_code - 128};
  return {{"verdict", "failed"}, {"detail", "its process " + status->text()}};
}

// As a job's plugin: it sees its own folder and that of the data, and works in the latter.
HostOptions host_options(const ConformanceOptions& options) {
  HostOptions host;
  host.host_program = fs::read_symlink("/proc/self/exe");
  host.plugin_path = options.plugin;
  host.work_dir = (options.data.empty() ? options.plugin : options.data).parent_path();
  return host;
}

Json run_in_child(const Check& check, const ConformanceOptions& options, const std::string& runtime) {
  Pipe verdict;
  std::vector<std::string> arguments = {"conform",  options.plugin, "--check",
                                        check.name, "--options",    options.options};
  if (!options.data.empty()) arguments.insert(arguments.end(), {"--data", options.data});
  HostOptions host = host_options(options);
  host.trusted = !available_isolation().namespaces;
  if (!host.trusted) arguments.emplace_back("--confined");
  const Launch launch = plan_launch(host, arguments);
  ProcessOptions process;
  process.argv = launch.argv;
  process.environment = launch.environment;
  process.inherit_environment = false;
  process.working_directory = host.work_dir;
  if (!runtime.empty()) process.environment.emplace_back("LD_PRELOAD", runtime);
  process.descriptors = {{verdict.write.get(), wire::kHostSocket}, {STDERR_FILENO, STDOUT_FILENO}};
  process.dies_with_parent = !launch.in_namespaces;
  Subprocess child(process);
  verdict.write.reset();
  Json row = {{"check", check.name}};
  row.update(verdict_of(child, verdict.read.get(), options.timeout_s));
  row["rule"] = check.rule;
  return row;
}

// Before any of the plugin's code. A sanitizer's runtime needs more memory than there is, and the leak check
// looks at its own process by a call that plugins are denied.
void confine_check(const Check& check, const ConformanceOptions& options) {
  if (!options.confined || std::strcmp(check.name, "leaks") == 0) return;
  const HostOptions host = host_options(options);
  const View view = plan_launch(host).view;
  confine({.implementation = "shared_object",
           .readable = {view.shown.begin(), view.shown.end()},
           .memory_limit_bytes = std::getenv("LD_PRELOAD") == nullptr ? host.memory_limit_bytes : 0});
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
    confine_check(*check, options);
    check->run({options});
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
