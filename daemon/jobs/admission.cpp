#include "jobs/admission.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/sha256.h"
#include "engine/model/kernels.h"
#include "engine/model/lora_config.h"
#include "jobs/folder.h"
#include "jobs/job.h"
#include "jobs/job_data.h"
#include "jobs/rejection.h"
#include "plugins/composition.h"
#include "plugins/grader.h"
#include "plugins/pinned_scorer.h"
#include "plugins/scorer_host.h"
#include "plugins/secrets.h"

namespace rft::jobs {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxRemembered = 256;
constexpr char kPrinted[] = "admission.log";

// Messages name files by their place in the owner's folder, not by ours.
std::string relative_to_owner(std::string message, const fs::path& input) {
  const std::string prefix = input.string() + "/";
  for (size_t at; (at = message.find(prefix)) != std::string::npos;) message.erase(at, prefix.size());
  return message;
}

// Whatever tells one version of a model's files from another without reading them.
std::string identity_of(const fs::path& model) {
  std::vector<std::string> parts;
  for (const auto& entry : fs::directory_iterator(model)) {
    struct stat info {};
    if (::stat(entry.path().c_str(), &info) != 0) continue;
    parts.push_back(fmt::format("{}:{}:{}:{}:{}.{}", entry.path().filename().string(), info.st_dev,
                                info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec));
  }
  std::sort(parts.begin(), parts.end());
  return fmt::format("{}", fmt::join(parts, "\n"));
}

std::string resolve_dtype(const config::JobConfig& job) {
  if (job.model.dtype != "auto") return job.model.dtype;
  return job.resources.gpus > 0 || engine::kernels::fast_bf16() ? "bfloat16" : "float32";
}

config::JobConfig parse_input(const fs::path& input) {
  if (!fs::is_regular_file(fs::symlink_status(input / "job.toml")))
    reject("no job.toml in the folder; add one that names [model] path, [data] train and [scorer] plugin",
           "job.toml");
  config::JobConfig job = config::parse_job(input / "job.toml");
  job.lines.file = "job.toml";
  return job;
}

// Whether the model has the linears that a new adapter is for.
void check_targets(const config::JobConfig& job, const engine::ModelConfig& model) {
  if (job.model.lora.rank == 0) return;
  try {
    engine::find_linears(model, job.model.lora.targets);
  } catch (const Error& error) {
    throw Error(
        error.code(),
        fmt::format("{}[model.lora] targets: {}", job.lines.where("model.lora", "targets"), error.what()),
        "targets");
  }
}

// Whether the model has room for a prompt, and somewhere to put a system message.
void check_prompting(const config::JobConfig& job, const engine::ModelSummary& model) {
  if (job.rollout.max_new_tokens >= model.max_positions)
    reject(fmt::format("{}[rollout] max_new_tokens = {} leaves a prompt no room in the model's context of {} "
                       "tokens; lower it",
                       job.lines.where("rollout", "max_new_tokens"), job.rollout.max_new_tokens,
                       model.max_positions),
           "max_new_tokens");
  if (!job.data.system.empty() && !model.has_chat_template)
    reject(fmt::format("{}[data] system needs a chat template, and the model has none; write it into [data] "
                       "prompt",
                       job.lines.where("data", "system")),
           "system");
}

memory::Estimate estimate_memory(const config::JobConfig& job, const memory::DataExtent& data,
                                 const engine::ModelConfig& model) {
  const memory::Estimate estimate = memory::estimate(model, job, data);
  if (const int64_t limit = memory::limit_of(job); limit > 0 && estimate.host_bytes() > limit)
    reject(fmt::format("{}[resources] memory_gb = {}: {}{}raise it",
                       job.lines.where("resources", "memory_gb"), job.resources.memory_gb,
                       memory::too_large(estimate, limit), estimate.mends().empty() ? "; " : ", or "),
           "memory_gb");
  return estimate;
}

constexpr char kGraderFolder[] = "grader";  // where the Python sources of a grader become files
constexpr uintmax_t kMaxGraderBytes = 1 << 20;

// Puts what the grader's file says in place of [scorer] plugin and options.
void apply_grader(config::JobConfig& job, const fs::path& folder) {
  fs::remove_all(folder / kGraderFolder);
  const std::string& file = job.scorer.grader;
  if (file.empty()) return;
  try {
    open_beneath(folder / "input", file);
  } catch (const Error& error) {
    reject(at_key(job, "scorer", "grader", file) + error.what(), "grader");
  }
  try {
    if (fs::file_size(folder / "input" / file) > kMaxGraderBytes)
      reject("larger than 1 MiB; this is no grader");
    const auto grader = plugins::translate_grader(parse_json(read_file(folder / "input" / file), "the file"),
                                                  {job.scorer.options, job.scorer.secrets});
    job.scorer.plugin = grader.plugin;
    job.scorer.options = grader.options;
    // The judges of a multi ask for themselves, and so for no other of its graders.
    if (grader.num_judges > 0 && grader.plugin == plugins::kComposite) job.scorer.secrets.clear();
    if (grader.num_judges > 0 && grader.plugin != plugins::kComposite) job.scorer.network = true;
    fs::create_directory(folder / kGraderFolder);
    for (const auto& [name, source] : grader.sources)
      write_file_atomically(folder / kGraderFolder / name, source);
  } catch (const Error& error) {
    throw Error(error.code(), file + ": " + error.what(), "grader");
  }
}

// Where a scorer's plugin lies if it is no registered one.
fs::path scorers_folder(const config::JobConfig& job, const fs::path& folder) {
  return folder / (job.scorer.grader.empty() ? "input" : kGraderFolder);
}

// The job's scorer under the empty name, or those of a "multi" under theirs.
std::vector<plugins::Part> parts_of(const config::JobConfig& job) {
  const config::ScorerConfig& all = job.scorer;
  if (all.plugin != plugins::kComposite) return {{"", all.plugin, all.options, all.network, all.secrets}};
  try {
    auto parts = plugins::parse_composition(all.options).parts;
    for (plugins::Part& part : parts) {
      part.network = part.network || all.network;
      part.secrets.insert(part.secrets.end(), all.secrets.begin(), all.secrets.end());
    }
    return parts;
  } catch (const Error& error) {
    const std::string where = job.scorer.grader.empty()
                                  ? job.lines.where("scorer", "options") + "[scorer] options: "
                                  : job.scorer.grader + ": ";
    throw Error(error.code(), where + error.what(), "options");
  }
}

// Where the owner named the plugin of a part.
std::string at_part(const config::JobConfig& job, const plugins::Part& part) {
  if (!job.scorer.grader.empty())
    return job.scorer.grader + ": " + (part.name.empty() ? "" : "graders." + part.name + ": ");
  if (part.name.empty()) return at_key(job, "scorer", "plugin", part.plugin);
  return fmt::format("{}[scorer] options.graders.{}.plugin = \"{}\": ", job.lines.where("scorer", "options"),
                     part.name, part.plugin);
}

// Where the owner named the options of a part, or else its plugin.
std::string at_options(const config::JobConfig& job, const plugins::Part& part) {
  if (job.scorer.grader.empty() && part.name.empty() && job.lines.given("scorer", "options"))
    return job.lines.where("scorer", "options") + "[scorer] options: ";
  return at_part(job, part);
}

// Where the owner asked for what the daemon's grants: in [scorer] for all, or beside the plugin of a part.
std::string where_asked(const config::JobConfig& job, const plugins::Part& part, const char* key) {
  if (!job.lines.given("scorer", key)) return at_part(job, part);
  return fmt::format("{}[scorer] {}: {}", job.lines.where("scorer", key), key,
                     part.name.empty() ? "" : "sub-scorer " + part.name + ": ");
}

plugins::QuarantineReport fault_of(int64_t job, const std::string& digest,
                                   const plugins::PluginError& error) {
  return {
      .digest = digest, .failure = std::string(to_string(error.kind())), .reason = error.what(), .job = job};
}

std::string write_manifest(const fs::path& folder) {
  const std::string text = manifest(folder);
  write_file_atomically(folder / "manifest.sha256", text);
  return sha256(text);
}

}  // namespace

Admission::Admission(const Home& home, fs::path host_program, const PluginWatch& plugins,
                     const config::PluginsConfig& permitted)
    : models_(home.models()),
      secrets_(home.secrets()),
      host_program_(std::move(host_program)),
      plugins_(plugins),
      quarantine_(home.quarantine()),
      trust_(permitted.trusted, permitted.network, permitted.python, permitted.secrets) {}

std::variant<Admitted, PluginSettles> Admission::admit(int64_t id, const fs::path& folder) {
  const fs::path input = folder / "input";
  try {
    config::JobConfig job = parse_input(input);
    apply_grader(job, folder);
    for (const auto& part : parts_of(job))
      if (plugins_.settles(part.plugin)) return PluginSettles{part.plugin};
    if (plugins_.settles(job.data.adapter)) return PluginSettles{job.data.adapter};
    const fs::path model = find_model(job, input);
    const engine::ModelConfig model_config = engine::read_model_config(model).config;
    check_targets(job, model_config);
    const engine::ModelSummary summary = check_model_once(model);
    check_prompting(job, summary);
    const fs::path lora_adapter = find_adapter(job, model_config, input);
    job.resolved.secrets_file = secrets_;
    pin_scorers(job, scorers_folder(job, folder));
    const auto adapter =
        resolve(at_key(job, "data", "adapter", job.data.adapter), job.data.adapter, input, "dataset-adapter");

    convert_data(id, job, adapter, folder);
    try_scorers(id, job, folder);

    job.model.dtype = resolve_dtype(job);
    job.resolved.job_id = id;
    job.resolved.model_path = model;
    job.resolved.adapter_path = lora_adapter;
    // What a broken-off admission left is not of this one.
    for (const char* file : {"manifest.sha256", "memory.json"}) fs::remove(folder / file);
    write_file_atomically(folder / "plan.toml", config::to_toml(job));
    const std::string manifest_digest = write_manifest(folder);
    const memory::Estimate memory = estimate_memory(
        job, extent_of(folder / "data", job, model_config, summary.has_chat_template), model_config);
    memory::write_estimate(folder, memory);  // after the manifest: the worker will know better and replace it
    return Admitted{job, manifest_digest, memory};
  } catch (const Error& error) {
    throw Error(error.code(), relative_to_owner(error.what(), input), error.field());
  }
}

std::variant<protocol::ScorerSwap, PluginSettles> Admission::admit_swap(const fs::path& folder,
                                                                        const ScorerChoice& choice,
                                                                        const ScorerSwaps& before) const {
  config::JobConfig job = plan_after(before.in_use, folder);
  const bool from_file = !choice.file.empty();
  std::error_code unseen;
  if (from_file && !fs::is_regular_file(choice.file, unseen))
    throw not_seen(choice.file, "file", "put the file into HOME/plugins and give its name");
  const std::string name = from_file ? choice.file.filename().string() : choice.plugin;
  config::set_scorer_settings(job, choice.settings);
  job.scorer.grader.clear();
  job.scorer.options =
      choice.options.value_or(name == job.scorer.plugin ? job.scorer.options : Json::object());
  job.scorer.plugin = from_file ? "./" + name : name;  // the file, whatever is registered under its name
  try {
    if (!from_file)
      for (const auto& part : parts_of(job))
        if (plugins_.settles(part.plugin)) return PluginSettles{part.plugin};
    pin_scorers(job, from_file ? choice.file.parent_path() : folder / "input");
  } catch (const Error& error) {
    throw Error(error.code(), relative_to_owner(error.what(), folder / "input"), error.field());
  }
  auto pinned = config::pinned_scorers(job);
  if (from_file) pinned.front().plugin = name;
  config::set_pinned_scorers(job, pinned);
  job.scorer.plugin = name;
  try_scorers(job.resolved.job_id, job, folder);
  return protocol::ScorerSwap{.plugin = name,
                              .options = job.scorer.options,
                              .scorers = job.resolved.scorers,
                              .settings = config::scorer_settings(job)};
}

Admission::Permitted Admission::resolve(const std::string& where, const std::string& name,
                                        const fs::path& input, const std::string& kind) const {
  try {
    const auto plugin = plugins_.resolve(name, input, kind);
    if (const auto report = quarantine_.find(plugin.digest))
      throw Error(ErrorCode::unsupported, plugins::why_refused(*report));
    return {plugin, trust_.runs_unconfined(plugin, plugins::available_isolation())};
  } catch (const Error& error) {
    throw Error(error.code(), where + error.what(), kind == "scorer" ? "plugin" : "adapter");
  }
}

void Admission::pin_scorers(config::JobConfig& job, const fs::path& files) const {
  const std::string python = permitted_python(job, "scorer", job.scorer.python);
  std::vector<config::PinnedScorer> pinned;
  for (const plugins::Part& part : parts_of(job)) {
    const auto scorer = resolve(at_part(job, part), part.plugin, files, "scorer");
    require_granted(job, part, scorer.plugin);
    pinned.push_back({part.name, part.plugin, part.options, scorer.plugin.path, scorer.plugin.implementation,
                      scorer.plugin.digest, scorer.unconfined, python, part.network, part.secrets});
  }
  config::set_pinned_scorers(job, pinned);
}

void Admission::convert_data(int64_t id, const config::JobConfig& job, const Permitted& adapter,
                             const fs::path& folder) const {
  plugins::AdapterOptions options;
  options.host_program = host_program_;
  options.plugin_path = adapter.plugin.path;
  options.kind = adapter.plugin.implementation;
  options.name = adapter.plugin.name;
  options.trusted = adapter.unconfined;
  options.python = permitted_python(job, "data", job.data.python);
  options.stderr_file = folder / kPrinted;
  options.failed_input = folder / "failed-input.jsonl";
  options.work_dir = fs::absolute(folder / "input");
  options.options = job.data.options;
  if (!job.data.prompt.empty()) options.options["prompt"] = job.data.prompt;
  try {
    write_data(job, options, folder / "input", folder / "data");
  } catch (const plugins::PluginError& error) {
    quarantine_.add(fault_of(id, adapter.plugin.digest, error), options, "dataset-adapter");
    throw;
  }
}

void Admission::try_scorers(int64_t id, config::JobConfig& job, const fs::path& folder) const {
  const auto parts = parts_of(job);
  auto pinned = config::pinned_scorers(job);
  for (config::PinnedScorer& scorer : pinned) {
    plugins::ScorerOptions options = plugins::options_of(scorer, job, folder, host_program_);
    options.stderr_file = folder / kPrinted;
    options.state_file.clear();  // nothing of a trial is for the job
    try {
      scorer.memory_bytes = plugins::ScorerHost(options).memory_bytes();
    } catch (const plugins::PluginError& error) {
      quarantine_.add(fault_of(id, scorer.digest, error), options, "scorer");
      const auto part = std::ranges::find(parts, scorer.name, &plugins::Part::name);
      const bool refused = error.kind() == plugins::PluginFailure::threw;
      throw Error(error.code(), (refused ? at_options : at_part)(job, *part) + error.what(),
                  refused ? "options" : "plugin");
    }
  }
  config::set_pinned_scorers(job, pinned);
}

std::string Admission::permitted_python(const config::JobConfig& job, const char* section,
                                        const std::string& asked) const {
  try {
    return trust_.python(asked);
  } catch (const Error& error) {
    throw Error(error.code(), at_key(job, section, "python", asked) + error.what(), "python");
  }
}

void Admission::require_granted(const config::JobConfig& job, const plugins::Part& part,
                                const plugins::ResolvedPlugin& scorer) const {
  const char* key = "network";
  try {
    if (part.network) trust_.require_network(scorer);
    key = "secrets";
    for (const std::string& secret : part.secrets) trust_.require_secret(scorer, secret);
    plugins::read_secrets(secrets_, part.secrets);
  } catch (const Error& error) {
    throw Error(error.code(), where_asked(job, part, key) + error.what(), key);
  }
}

// A model that this version can train.
fs::path Admission::find_model(const config::JobConfig& job, const fs::path& input) {
  const std::string where = at_key(job, "model", "path", job.model.path);
  try {
    const fs::path model = locate_model(job.model.path, input);
    const auto summary = check_model_once(model);
    if (!summary.unsupported.empty())
      reject(fmt::format("this version cannot train it: {}", fmt::join(summary.unsupported, "; ")));
    if (!summary.no_tokenizer.empty()) reject(summary.no_tokenizer);
    return model;
  } catch (const Error& error) {
    throw Error(error.code(), where + error.what(), "path");
  }
}

// The adapter that the job goes on from; empty: none.
fs::path Admission::find_adapter(const config::JobConfig& job, const engine::ModelConfig& model,
                                 const fs::path& input) const {
  if (job.model.adapter.empty()) return {};
  try {
    const fs::path adapter = locate_model(job.model.adapter, input);
    engine::check_adapter(adapter, model);
    return adapter;
  } catch (const Error& error) {
    throw Error(error.code(), at_key(job, "model", "adapter", job.model.adapter) + error.what(), "adapter");
  }
}

fs::path Admission::locate_model(const std::string& path, const fs::path& input) const {
  const fs::path named = path;
  if (named.is_absolute()) {
    if (fs::is_directory(named)) return named.lexically_normal();
    reject("there is no such folder on this machine; correct the path, or name a model under " +
           models_.string());
  }
  for (const auto& part : named)
    if (part == "..")
      reject("it leads out of the folder; give an absolute path, or a name under " + models_.string());
  for (const auto& base : {models_, input})
    if (fs::is_directory(base / named)) return (base / named).lexically_normal();
  std::vector<std::string> known;
  if (fs::is_directory(models_))
    for (const auto& entry : fs::directory_iterator(models_))
      if (entry.is_directory()) known.push_back(entry.path().filename().string());
  std::sort(known.begin(), known.end());
  reject(
      fmt::format("it is neither under {} ({}) nor in the job folder; put it there, or give an absolute path",
                  models_.string(),
                  known.empty() ? "which is empty" : fmt::format("which holds {}", fmt::join(known, ", "))));
}

engine::ModelSummary Admission::check_model_once(const fs::path& model) {
  const std::string identity = identity_of(model);
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = checked_.find(model); known != checked_.end() && known->second.first == identity)
      return known->second.second;
  }
  const auto summary = engine::check_model(model);
  const std::lock_guard lock(mutex_);
  // Models that travel in job folders come once each: what is remembered stays bounded.
  if (checked_.size() >= kMaxRemembered) checked_.clear();
  checked_[model] = {identity, summary};
  return summary;
}

bool is_of_the_machine(ErrorCode code) {
  return code == ErrorCode::io || code == ErrorCode::resource || code == ErrorCode::unavailable ||
         code == ErrorCode::internal;
}

}  // namespace rft::jobs
