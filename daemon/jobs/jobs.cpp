#include "jobs/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/files.h"
#include "base/machine_memory.h"
#include "base/program_folder.h"
#include "executor/gpus.h"
#include "executor/local.h"
#include "jobs/lifecycle.h"
#include "jobs/plugin_watch.h"
#include "memory/estimate.h"

namespace rft::jobs {
namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace {

int64_t cores_for_jobs(const config::CapacityConfig& config) {
  const auto machine = static_cast<int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  return config.cores > 0 ? std::min(config.cores, machine) : machine;
}

int64_t memory_for_jobs(const config::CapacityConfig& config) {
  const int64_t machine = memory_limit_bytes();
  return config.memory_gb > 0 ? std::min(static_cast<int64_t>(config.memory_gb * 1e9), machine) : machine;
}

std::vector<std::string> gpus_for_jobs(const config::CapacityConfig& config) {
  std::vector<std::string> uuids;
  if (!config.gpus) return uuids;
  for (const auto& gpu : executor::list_gpus().gpus) uuids.push_back(gpu.uuid);
  return uuids;
}

bool is_kept(const Job& job) {
  const auto* checking = std::get_if<Checking>(&job.status);
  return checking == nullptr || checking->copied;
}

JobView view_of(const SettlingFolder& folder) {
  JobView view;
  view.name = folder.path.filename().string();
  view.reason = folder.reason;
  view.folder = folder.path;
  return view;
}

bool is_at_rest(const Job& job) { return state_of(job.status) != State::running; }

}  // namespace

class Jobs::Implementation {
 public:
  Implementation(asio::io_context& io, const Options& options)
      : home{options.home},
        ledger(io, home),
        plugins(io, shipped_plugins_folder(), home.plugins(), options.config.intake.settle_s,
                [this] {
                  if (sink) sink("plugins", Json::object());
                }),
        admission(home, options.program_folder / "rft-plugin-host", plugins, options.config.plugins),
        executor(io, options.program_folder / "rft-worker"),
        lifecycle(io,
                  {home, options.worker_socket, options.config, cores_for_jobs(options.config.capacity),
                   gpus_for_jobs(options.config.capacity), memory_for_jobs(options.config.capacity)},
                  ledger, plugins, admission, executor) {}

  // The id that `name` means.
  int64_t find(const std::string& name) const;
  // The same, unless `name` leaves open which of several unfinished jobs is to change.
  int64_t find_to_change(const std::string& name) const;
  std::optional<int64_t> find_by_number(const std::string& name) const;
  // The folders that are no jobs yet.
  std::vector<JobView> settling() const;
  // The one that `name` means.
  std::optional<JobView> find_settling(const std::string& name) const;
  Job row(int64_t id) const;
  JobView decorated(JobView view) const;

  // Applies `change` unless the mutation is known already, then answers once `effect` holds.
  void mutate(const std::string& job, const std::string& mutation_id, Ledger::Condition effect,
              const Done& done, const std::function<void(const Job&)>& change) {
    const auto known = mutation_id.empty() ? std::nullopt : ledger.store().job_of_mutation(mutation_id);
    const int64_t id = known ? *known : find_to_change(job);
    if (!known) change(row(id));
    ledger.when(id, std::move(effect), done);
  }

  // Answers whoever asked by that mutation for another scorer, once it is taken or refused, or the job is at
  // rest and its next attempt will decide.
  void answer_swap(int64_t id, const std::string& mutation_id, const Done& done) {
    const ScorerSwaps& swaps = row(id).swaps;
    const int64_t number = swaps.mutation == mutation_id ? swaps.last.number : 0;
    ledger.when(
        id,
        [number](const Job& job) {
          return job.swaps.last.number != number || !job.swaps.pending() || is_at_rest(job);
        },
        [this, id, number, done](Answer answer) {
          const ScorerSwaps now = row(id).swaps;
          if (answer.error) return done(answer);
          if (now.last.number != number)
            answer.error = Error(ErrorCode::conflict,
                                 fmt::format("a later swap, to {}, took its place", now.last.plugin));
          else if (now.state == SwapState::refused)
            answer.error = Error(ErrorCode::plugin, now.reason);
          done(answer);
        });
  }

  Home home;
  EventSink sink;
  Ledger ledger;
  PluginWatch plugins;
  Admission admission;
  executor::LocalExecutor executor;
  Lifecycle lifecycle;
};

std::optional<int64_t> Jobs::Implementation::find_by_number(const std::string& name) const {
  const bool is_number = !name.empty() && name.size() < 18 &&
                         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number) return std::nullopt;
  const int64_t id = std::stoll(name);
  if (ledger.live().count(id) == 0 && !ledger.store().find(id)) return std::nullopt;
  return id;
}

int64_t Jobs::Implementation::find(const std::string& name) const {
  if (const auto id = find_by_number(name)) return *id;
  if (const auto folder = find_settling(name))
    throw Error(ErrorCode::conflict, fmt::format("{} is no job yet: {}", name, folder->reason), "job");
  if (const auto id = ledger.store().newest_named(name)) return *id;
  throw Error(ErrorCode::not_found, fmt::format("there is no job {}; see rftctl ls", name), "job");
}

int64_t Jobs::Implementation::find_to_change(const std::string& name) const {
  std::vector<int64_t> unfinished;
  for (const auto& [id, live] : ledger.live())
    if (live->job.name == name) unfinished.push_back(id);
  if (unfinished.size() > 1 && !find_by_number(name))
    throw Error(ErrorCode::invalid_argument,
                fmt::format("several unfinished jobs are called {}: {}; give the number", name,
                            fmt::join(unfinished, ", ")),
                "job");
  return find(name);
}

std::vector<JobView> Jobs::Implementation::settling() const {
  std::vector<JobView> views;
  for (const auto& folder : lifecycle.settling()) views.push_back(view_of(folder));
  return views;
}

std::optional<JobView> Jobs::Implementation::find_settling(const std::string& name) const {
  if (find_by_number(name)) return std::nullopt;
  const auto folder = lifecycle.settling(name);
  return folder ? std::optional(view_of(*folder)) : std::nullopt;
}

Job Jobs::Implementation::row(int64_t id) const {
  if (const auto live = ledger.live().find(id); live != ledger.live().end()) return live->second->job;
  const auto job = ledger.store().find(id);
  if (!job) throw Error(ErrorCode::not_found, fmt::format("there is no job {}", id), "job");
  return *job;
}

// What a waiting job waits for is the queue's knowledge, and changes without the job.
JobView Jobs::Implementation::decorated(JobView view) const {
  if (view.state != State::queued) return view;
  const auto live = ledger.live().find(view.id);
  if (live == ledger.live().end() || !live->second->note.empty()) return view;
  if (lifecycle.waits_for_survivors())
    view.reason += "; a worker that outlived its daemon is still writing its resume point";
  else if (const auto reason = lifecycle.queue().why_in_short(view.id); !reason.empty())
    view.reason += "; " + reason;
  return view;
}

Jobs::Jobs(asio::io_context& io, const Options& options)
    : implementation_(std::make_unique<Implementation>(io, options)) {}
Jobs::~Jobs() = default;

void Jobs::set_event_sink(EventSink sink) {
  implementation_->sink = sink;
  implementation_->ledger.set_event_sink(std::move(sink));
}

void Jobs::start() { implementation_->lifecycle.start(); }

void Jobs::stop(int timeout_ms, std::function<void()> done) {
  implementation_->ledger.dismiss_waiters(
      Error(ErrorCode::unavailable, "the daemon is stopping; ask again when it runs"));
  implementation_->lifecycle.stop(timeout_ms, std::move(done));
}

JobView Jobs::get(const std::string& job) const {
  const auto& part = *implementation_;
  if (const auto folder = part.find_settling(job)) return *folder;
  return part.decorated(part.ledger.view(part.find(job)));
}

Why Jobs::why(const std::string& job) const {
  const auto& part = *implementation_;
  const JobView view = get(job);
  const int64_t id = view.id;
  Why why{view.state, view.reason, {}};
  if (view.state == State::settling) return why;
  if (view.state == State::queued) why.details = part.lifecycle.queue().why(id);
  if (view.num_failures > 0)
    why.details.push_back(
        fmt::format("{} of at most {} attempts have failed", view.num_failures, view.max_attempts));
  if (!view.next_attempt_at.empty())
    why.details.push_back("the next attempt starts at " + view.next_attempt_at);
  if (const auto live = part.ledger.live().find(id); live != part.ledger.live().end()) {
    if (live->second->resume_iteration > 0)
      why.details.push_back(
          fmt::format("its last resume point is after iteration {}", live->second->resume_iteration));
  }
  for (const auto& warning : view.warnings) why.details.push_back("warning: " + warning);
  for (const auto& entry : part.ledger.store().history(id))
    why.details.push_back(fmt::format("{} {}{}{}", time_text(entry.at), to_string(entry.state),
                                      entry.reason.empty() ? "" : ": ", entry.reason));
  return why;
}

fs::path Jobs::folder(const std::string& job) const {
  const Job row = implementation_->row(implementation_->find(job));
  if (std::holds_alternative<Rejected>(row.status))
    throw Error(
        ErrorCode::conflict,
        fmt::format("job {} was rejected and so has written nothing; see: rftctl why {}", row.id, row.id),
        "job");
  const fs::path folder = implementation_->home.job(row.folder_name());
  if (!fs::is_directory(folder))
    throw Error(ErrorCode::conflict,
                fmt::format("the folder of job {} is not there yet: {}", row.id, reason_of(row.status)),
                "job");
  return folder;
}

std::string Jobs::plan(const std::string& job) const {
  const Job row = implementation_->row(implementation_->find(job));
  if (row.manifest_digest.empty())
    throw Error(ErrorCode::conflict,
                fmt::format("job {} has no plan: it is {}: {}", row.id, to_string(state_of(row.status)),
                            reason_of(row.status)),
                "job");
  return read_file(implementation_->home.job(row.folder_name()) / "plan.toml");
}

Json Jobs::memory(const std::string& job) const {
  const Job row = implementation_->row(implementation_->find(job));
  const auto estimate = memory::read_estimate(implementation_->home.job(row.folder_name()));
  return estimate ? to_json(*estimate) : Json();
}

std::vector<plugins::PluginRow> Jobs::plugins() const {
  auto rows = implementation_->plugins.rows();
  for (const auto& report : plugins::Quarantine(implementation_->home.quarantine()).all()) {
    bool is_registered = false;
    for (auto& row : rows) {
      if (row.digest != report.digest) continue;
      is_registered = true;
      row.state = "quarantined";
      row.reason = plugins::why_refused(report);
    }
    if (!is_registered)
      rows.push_back({report.name, report.name, "", "", report.digest, "job", "quarantined",
                      plugins::why_refused(report)});
  }
  return rows;
}

std::vector<JobView> Jobs::list(const JobFilter& filter) const {
  const auto& part = *implementation_;
  const auto wanted = [&](State state, const std::string& name) {
    const bool right_state = filter.states.empty() || std::find(filter.states.begin(), filter.states.end(),
                                                                state) != filter.states.end();
    return right_state && (filter.name.empty() || filter.name == name);
  };
  std::vector<JobView> views;
  for (const auto& view : part.settling())
    if (wanted(State::settling, view.name)) views.push_back(view);
  // Unfinished jobs as they are in memory, finished ones as they are kept; both newest first.
  std::vector<JobView> numbered;
  const auto enough = [&] {
    return filter.limit > 0 && numbered.size() >= static_cast<size_t>(filter.limit);
  };
  for (auto live = part.ledger.live().rbegin(); live != part.ledger.live().rend() && !enough(); ++live) {
    const Job& job = live->second->job;
    if (wanted(state_of(job.status), job.name))
      numbered.push_back(part.decorated(part.ledger.view(job, live->second.get())));
  }
  std::vector<State> finished;
  for (const auto state : {State::succeeded, State::failed, State::cancelled, State::rejected})
    if (filter.states.empty() || wanted(state, filter.name)) finished.push_back(state);
  const size_t num_live = numbered.size();
  if (!finished.empty())
    for (const auto& job : part.ledger.store().list(finished, filter.name, filter.limit))
      if (part.ledger.live().count(job.id) == 0) numbered.push_back(part.ledger.view(job, nullptr));
  std::inplace_merge(numbered.begin(), numbered.begin() + static_cast<std::ptrdiff_t>(num_live),
                     numbered.end(), [](const JobView& a, const JobView& b) { return a.id > b.id; });
  views.insert(views.end(), numbered.begin(), numbered.end());
  if (filter.limit > 0 && views.size() > static_cast<size_t>(filter.limit))
    views.resize(static_cast<size_t>(filter.limit));
  return views;
}

void Jobs::submit(const fs::path& given, const std::string& mutation_id, const Done& done) {
  auto& part = *implementation_;
  const fs::path folder = given.has_filename() ? given : given.parent_path();  // "x/" names x
  if (!mutation_id.empty())
    if (const auto known = part.ledger.store().job_of_mutation(mutation_id))
      return part.ledger.when(*known, is_kept, done);
  std::error_code unseen;
  const auto info = fs::exists(folder, unseen) ? folder_info(folder) : std::nullopt;
  if (!info) throw not_seen(folder, "folder", "move the folder into " + part.home.incoming().string());
  if (!info->is_folder)
    throw Error(ErrorCode::invalid_argument,
                folder.string() + " is not a folder; give the one that holds job.toml", "folder");
  if (fs::equivalent(folder.parent_path(), part.home.incoming()))
    throw Error(ErrorCode::conflict, folder.string() + " is in incoming/ already and is taken from there",
                "folder");
  part.ledger.when(part.lifecycle.submit({folder, *info}, mutation_id), is_kept, done);
}

void Jobs::pause(const std::string& job, const std::string& mutation_id, const Done& done) {
  auto& part = *implementation_;
  part.mutate(job, mutation_id, is_at_rest, done, [&](const Job& row) {
    const auto* running = std::get_if<Running>(&row.status);
    if (std::holds_alternative<Paused>(row.status) ||
        (running != nullptr && running->request == Request::pause))
      return;
    if (running != nullptr && running->request == Request::cancel)
      throw Error(ErrorCode::conflict, fmt::format("job {} is being cancelled", row.id), "job");
    if (!can_follow(state_of(row.status), State::paused))
      throw Error(ErrorCode::conflict,
                  fmt::format("job {} is {}; only a waiting or running job can be paused", row.id,
                              to_string(state_of(row.status))),
                  "job");
    part.lifecycle.pause(row.id, mutation_id);
  });
}

void Jobs::resume(const std::string& job, const std::string& mutation_id, const Done& done) {
  auto& part = *implementation_;
  part.mutate(
      job, mutation_id, [](const Job&) { return true; }, done,
      [&](const Job& row) {
        if (!std::holds_alternative<Paused>(row.status))
          throw Error(ErrorCode::conflict,
                      fmt::format("job {} is {}; only a paused job can be resumed", row.id,
                                  to_string(state_of(row.status))),
                      "job");
        part.lifecycle.queue_again(row.id, mutation_id, false);
      });
}

void Jobs::cancel(const std::string& job, const std::string& mutation_id, const Done& done) {
  auto& part = *implementation_;
  part.mutate(
      job, mutation_id, [](const Job& row) { return is_finished(state_of(row.status)); }, done,
      [&](const Job& row) {
        if (std::holds_alternative<Cancelled>(row.status)) return;
        if (is_finished(state_of(row.status)))
          throw Error(ErrorCode::conflict,
                      fmt::format("job {} is {} already", row.id, to_string(state_of(row.status))), "job");
        part.lifecycle.cancel(row.id, mutation_id);
      });
}

void Jobs::retry(const std::string& job, const std::string& mutation_id, const Done& done) {
  auto& part = *implementation_;
  part.mutate(
      job, mutation_id, [](const Job&) { return true; }, done,
      [&](const Job& row) {
        const State state = state_of(row.status);
        if (state != State::failed && state != State::cancelled && state != State::retrying)
          throw Error(ErrorCode::conflict,
                      fmt::format("job {} is {}; only a failed, cancelled or retrying job can be retried",
                                  row.id, to_string(state)),
                      "job");
        if (row.manifest_digest.empty())
          throw Error(
              ErrorCode::conflict,
              fmt::format("job {} was cancelled before it was checked; submit its folder anew", row.id),
              "job");
        part.lifecycle.queue_again(row.id, mutation_id, state != State::retrying);
      });
}

void Jobs::swap_scorer(const std::string& job, const ScorerChoice& choice, const std::string& mutation_id,
                       const Done& done) {
  auto& part = *implementation_;
  const auto known = mutation_id.empty() ? std::nullopt : part.ledger.store().job_of_mutation(mutation_id);
  if (known) return part.answer_swap(*known, mutation_id, done);
  const Job row = part.row(part.find_to_change(job));
  const State state = state_of(row.status);
  if (is_finished(state) || state == State::checking)
    throw Error(ErrorCode::conflict,
                fmt::format("job {} is {}; only the scorer of a running or waiting job can be swapped",
                            row.id, to_string(state)),
                "job");
  part.lifecycle.swap_scorer(row.id, choice, mutation_id,
                             [&part, id = row.id, mutation_id, done](const std::optional<Error>& error) {
                               if (error) return done({error, part.ledger.view(id)});
                               part.answer_swap(id, mutation_id, done);
                             });
}

void Jobs::wait(const std::string& job, const Done& done) {
  implementation_->ledger.when(
      implementation_->find(job), [](const Job& row) { return is_finished(state_of(row.status)); }, done);
}

}  // namespace rft::jobs
