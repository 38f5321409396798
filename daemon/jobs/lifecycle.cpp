#include "jobs/lifecycle.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/files.h"
#include "base/sha256.h"
#include "jobs/folder.h"
#include "memory/estimate.h"
#include "plugins/quarantine.h"

namespace rft::jobs {
namespace asio = boost::asio;
namespace {

constexpr int kPoolThreads = 4;
constexpr double kHoldSeconds = 10;
constexpr size_t kMaxWarnings = 8;

CopyLimits limits_of(const config::IntakeConfig& config) {
  return {static_cast<uint64_t>(config.max_folder_mb) << 20, static_cast<uint64_t>(config.max_files)};
}

// The files that an attempt reads are those that were admitted.
void verify_admitted(const std::filesystem::path& folder, const std::string& manifest_digest) {
  const std::string text = read_file(folder / "manifest.sha256");
  if (sha256(text) != manifest_digest)
    throw Error(ErrorCode::conflict, (folder / "manifest.sha256").string() +
                                         " is not what the job was admitted with; submit the folder anew");
  verify_manifest(folder, text, {"plan.toml", "data/"});
}

// A plugin may have gone into quarantine while a job that names it waited for its turn.
void refuse_quarantined(const std::filesystem::path& folder, const ScorerSwaps& swaps,
                        const plugins::Quarantine& quarantine) {
  for (const auto& scorer : config::pinned_scorers(plan_after(swaps.in_use, folder)))
    if (const auto report = quarantine.find(scorer.digest))
      throw Error(ErrorCode::unsupported, "scorer " + scorer.plugin + ": " + plugins::why_refused(*report));
}

Job new_job(const Arrival& arrival, bool keep_source) {
  Job job;
  job.name = arrival.path.filename().string();
  job.status = Checking{"waits to be copied"};
  job.owner = arrival.info.owner;
  job.source = arrival.path;
  job.keep_source = keep_source;
  job.identity = arrival.info.identity;
  job.created_at = std::chrono::system_clock::now();
  return job;
}

}  // namespace

Lifecycle::Lifecycle(asio::io_context& io, Options options, Ledger& ledger, PluginWatch& plugins,
                     Admission& admission, executor::Executor& executor)
    : io_(io),
      options_(std::move(options)),
      ledger_(ledger),
      plugins_(plugins),
      admission_(admission),
      pool_(kPoolThreads),
      queue_(options_.cores, options_.gpus, options_.memory),
      supervisor_(io, executor, options_.worker_socket, options_.config.worker,
                  {[this](int64_t id, const Json& report) { message(id, report); },
                   [this](int64_t id, const AttemptEnd& end) { attempt_ended(id, end); },
                   [this](int64_t id) { worker_connected(id); }}),
      intake_(io, pool_, options_.home.incoming(), options_.config.intake.settle_s,
              {[this](const FolderIdentity& identity) {
                 return ledger_.store().job_of_folder(identity).has_value();
               },
               [this](const std::vector<Arrival>& arrivals) { arrived(arrivals); }}),
      stop_timer_(io),
      self_(std::make_shared<Lifecycle*>(this)) {}

Lifecycle::~Lifecycle() {
  *self_ = nullptr;
  pool_.stop();
  pool_.join();
}

void Lifecycle::later(int64_t id, double delay_s, std::function<void()> step) {
  LiveJob& live = *ledger_.find(id);
  const int64_t turn = ++live.turn;
  live.timer.expires_after(std::chrono::milliseconds(std::llround(delay_s * 1000)));
  live.timer.async_wait([this, id, turn, step = std::move(step)](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    const LiveJob* present = ledger_.find(id);
    if (present != nullptr && present->turn == turn) step();
  });
}

// ---- from the start of the daemon ----

void Lifecycle::start() {
  for (const auto& job : ledger_.store().unfinished()) recover(job);
  finish_rejections();
  intake_.start();
  pump();
}

void Lifecycle::recover(const Job& job) {
  ledger_.load(job);
  switch (state_of(job.status)) {
    case State::checking:
      return std::get<Checking>(job.status).copied ? admit(job.id) : take(job.id);
    case State::queued:
      return enqueue(job.id);
    case State::running:
      return wait_for_survivor(job.id);
    case State::retrying:
      return wait_for_retry(job.id);
    default:
      return;  // paused jobs wait for their owner
  }
}

// A crash may have come between the verdict and the moving of the folder.
void Lifecycle::finish_rejections() {
  for (const auto& job : ledger_.store().list({State::rejected}, "", 0)) {
    if (!std::filesystem::exists(options_.home.job(job.folder_name())) &&
        !std::filesystem::exists(std::filesystem::symlink_status(options_.home.claimed(job.id))))
      continue;
    const auto rejected = std::get<Rejected>(job.status);
    offload(
        [job, rejected, home = options_.home] {
          return reject_folder(job, home, rejected.folder, rejected.reason), true;
        },
        [](const auto&, const std::optional<Error>& error) {
          if (error) spdlog::error(error->what());
        });
  }
}

void Lifecycle::stop(int timeout_ms, std::function<void()> done) {
  stopped_ = std::move(done);
  intake_.stop();
  if (supervisor_.num_running() == 0) return asio::post(io_, [this] { stopped_(); });
  for (const auto& [id, live] : ledger_.live())
    if (supervisor_.runs(id)) {
      const auto* running = std::get_if<Running>(&live->job.status);
      supervisor_.stop(id, running != nullptr ? running->request : Request::none);
    }
  stop_timer_.expires_after(std::chrono::milliseconds(timeout_ms));
  stop_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    spdlog::info(fmt::format("{} workers are still writing their resume points; they end by themselves",
                             supervisor_.num_running()));
    supervisor_.abandon_all();
    stopped_();
  });
}

// ---- from a folder to the queue ----

void Lifecycle::arrived(const std::vector<Arrival>& arrivals) {
  std::vector<Job> jobs;
  jobs.reserve(arrivals.size());
  for (const auto& arrival : arrivals) jobs.push_back(new_job(arrival, false));
  try {
    ledger_.add(jobs);
  } catch (const Error& error) {
    spdlog::error(fmt::format("{}; the folders stay in incoming/", error.what()));
    for (const auto& arrival : arrivals) intake_.release(arrival.path);  // they settle anew
    return;
  }
  for (const auto& job : jobs) take(job.id);
}

int64_t Lifecycle::submit(const Arrival& folder, const std::string& mutation_id) {
  std::vector<Job> jobs = {new_job(folder, true)};
  ledger_.add(jobs, mutation_id);
  take(jobs.front().id);
  return jobs.front().id;
}

void Lifecycle::take(int64_t id) {
  const Job job = ledger_.find(id)->job;
  offload([job, home = options_.home,
           limits = limits_of(options_.config.intake)] { return take_folder(job, home, limits); },
          [this, job](const std::optional<TakeOutcome>& outcome, const std::optional<Error>& error) {
            if (ledger_.find(job.id) == nullptr) return intake_.release(job.source);  // cancelled meanwhile
            if (error) return take_or_admit_failed(job.id, *error, &Lifecycle::take);
            taken(job.id, *outcome);
          });
}

void Lifecycle::taken(int64_t id, TakeOutcome outcome) {
  if (outcome == TakeOutcome::vanished)
    return reject(id, "the folder was removed before it could be copied; drop it again");
  if (outcome == TakeOutcome::still_changing) {
    ledger_.note(id, "somebody still writes to its files; it is copied when they rest");
    return later(id, options_.config.intake.settle_s, [this, id] { take(id); });
  }
  Job& job = ledger_.find(id)->job;
  if (!job.keep_source) {
    // A source that could not be removed is known by what it is now.
    if (const auto left = folder_info(job.source); left && left->identity.inode == job.identity.inode)
      job.identity = left->identity;
    intake_.release(job.source);
  }
  ledger_.record(id, Checking{"its configuration, model, scorer and data are being checked", true});
  admit(id);
}

void Lifecycle::admit(int64_t id) {
  plugins_.rescan();  // a plugin that was dropped before the job is seen before it
  const Job& job = ledger_.find(id)->job;
  offload([this, id, folder = options_.home.job(job.folder_name())] { return admission_.admit(id, folder); },
          [this, id](const auto& result, const std::optional<Error>& error) {
            if (ledger_.find(id) == nullptr) return;
            if (error) return take_or_admit_failed(id, *error, &Lifecycle::admit);
            if (const auto* settling = std::get_if<PluginSettles>(&*result))
              return wait_for_plugin(id, settling->name);
            admitted(id, std::get<Admitted>(*result));
          });
}

void Lifecycle::wait_for_plugin(int64_t id, const std::string& name) {
  ledger_.note(id,
               fmt::format("waits for the plugin \"{}\": its file in {} changed a moment ago and is taken "
                           "once it rests",
                           name, options_.home.plugins().string()));
  plugins_.when_settled(name, [this, id] {
    if (ledger_.find(id) == nullptr) return;  // cancelled meanwhile
    ledger_.note(id, "");
    admit(id);
  });
}

void Lifecycle::admitted(int64_t id, const Admitted& result) {
  const auto& plan = result.plan;
  // With cores = 0 a job takes what there is, but each of its ranks needs one. Its memory is told term by
  // term.
  const Waiting asked{.cores = std::max(plan.resources.cores, plan.resources.ranks),
                      .gpus = plan.resources.gpus};
  if (const auto never = queue_.never_fits(asked))
    return reject(id, plan.lines.where("resources", "") + *never);
  if (result.memory.host_bytes() > options_.memory)
    return reject(id, plan.lines.where("resources", "") + memory::too_large(result.memory, options_.memory));
  Job& job = ledger_.find(id)->job;
  if (!plan.name.empty()) job.name = plan.name;
  job.max_attempts = plan.retry.max_attempts;
  job.cores = plan.resources.cores;
  job.gpus = plan.resources.gpus;
  job.model = plan.model.path;
  job.scorer = plan.scorer.plugin;
  job.manifest_digest = result.manifest_digest;
  ledger_.record(id, Queued{"waits for its turn"});
  enqueue(id);
  pump();
}

void Lifecycle::take_or_admit_failed(int64_t id, const Error& error, void (Lifecycle::*step)(int64_t)) {
  if (is_of_the_machine(error.code())) return hold(id, error.what(), step);
  reject(id, error.what());
}

// Not the folder's fault: the step is tried again until the machine lets it.
void Lifecycle::hold(int64_t id, const std::string& reason, void (Lifecycle::*step)(int64_t)) {
  ledger_.note(id, fmt::format("{}; tried again every {} s", reason, kHoldSeconds));
  later(id, kHoldSeconds, [this, id, step] { (this->*step)(id); });
}

void Lifecycle::reject(int64_t id, const std::string& reason) {
  Job job = ledger_.find(id)->job;
  auto target = choose_rejected_folder(options_.home, job.source.filename().string());
  if (!rejecting_.insert(target).second) target += fmt::format("-{}", id);
  rejecting_.insert(target);
  const Rejected verdict{reason, target};
  job.status = verdict;
  job.finished_at = std::chrono::system_clock::now();
  try {
    ledger_.save(job);  // the verdict first: a crash after it repeats the moving, not the checking
  } catch (const Error& error) {
    rejecting_.erase(target);
    return later(id, kHoldSeconds, [this, id, reason] { reject(id, reason); });
  }
  offload([job, home = options_.home,
           verdict] { return reject_folder(job, home, verdict.folder, verdict.reason), true; },
          [this, id, verdict, source = job.source](const auto&, const std::optional<Error>& error) {
            if (error)
              spdlog::error(
                  fmt::format("the rejected folder of job {} could not be moved: {}", id, error->what()));
            rejecting_.erase(verdict.folder);
            intake_.release(source);
            ledger_.record(id, verdict);
          });
}

// ---- from the queue to a worker ----

// The memory is read from the job's folder, where a worker that has counted its tokens has put the better
// figure; a job of an older version has none there and counts as nothing.
Waiting Lifecycle::needs_of(const Job& job) const {
  Waiting needs{job.id, job.owner, job.cores, job.gpus};
  if (const auto memory = memory::read_estimate(options_.home.job(job.folder_name())))
    needs.memory = memory->host_bytes();
  return needs;
}

void Lifecycle::enqueue(int64_t id) { queue_.add(needs_of(ledger_.find(id)->job)); }

void Lifecycle::pump() {
  // The cores and GPUs of a worker that outlived its daemon are not free yet.
  if (num_fences_ > 0 || stopped_) return;
  while (const auto placement = queue_.take_next()) begin_attempt(placement->id, placement->allocation);
}

void Lifecycle::begin_attempt(int64_t id, const Allocation& allocation) {
  LiveJob& live = *ledger_.find(id);
  const int64_t turn = ++live.turn;
  ledger_.note(id, "its files are being verified");
  offload(
      [folder = options_.home.job(live.job.folder_name()), digest = live.job.manifest_digest,
       swaps = live.job.swaps, quarantine = plugins::Quarantine(options_.home.quarantine())] {
        verify_admitted(folder, digest);
        refuse_quarantined(folder, swaps, quarantine);
        return true;
      },
      [this, id, turn, allocation](const auto&, const std::optional<Error>& error) {
        const LiveJob* present = ledger_.find(id);
        if (present == nullptr || present->turn != turn) return;  // paused or cancelled meanwhile
        if (!error) return place_attempt(id, allocation);
        queue_.remove(id);
        if (is_of_the_machine(error->code())) return hold(id, error->what(), &Lifecycle::enqueue_and_pump);
        ledger_.record(id, Failed{error->what(), std::string(to_string(error->code()))});
        pump();
      });
}

void Lifecycle::enqueue_and_pump(int64_t id) {
  enqueue(id);
  pump();
}

void Lifecycle::place_attempt(int64_t id, const Allocation& allocation) {
  if (stopped_) return;
  try {
    // The attempt's number is durable before there is a worker of that number.
    ledger_.request(id, Running{}, "", [](Job& job) { ++job.attempt; });
  } catch (const Error& error) {
    queue_.remove(id);
    return hold(id, error.what(), &Lifecycle::enqueue_and_pump);
  }
  const LiveJob& live = *ledger_.find(id);
  try {
    supervisor_.start(id, options_.home.job(live.job.folder_name()), live.job.attempt, allocation);
  } catch (const Error& error) {
    attempt_ended(id, {AttemptEnd::Kind::transient, error.what(), error.code(), {}});
  }
}

void Lifecycle::wait_for_survivor(int64_t id) {
  LiveJob& live = *ledger_.find(id);
  const auto lock = options_.home.job(live.job.folder_name()) / "attempt.lock";
  ++num_fences_;
  live.fence = std::make_unique<Fence>(io_, lock, [this, id] { survivor_gone(id); });
  if (live.fence->was_free()) return;
  ledger_.note(id, fmt::format("attempt {} outlived its daemon; the next one starts when it has ended",
                               live.job.attempt));
  later(id, options_.config.worker.stop_timeout_s, [id, lock] {
    spdlog::warn(fmt::format("job {}: the worker that outlived its daemon does not end and is killed", id));
    kill_lock_holder(lock);
  });
}

void Lifecycle::survivor_gone(int64_t id) {
  LiveJob& live = *ledger_.find(id);
  ++live.turn;
  live.timer.cancel();
  live.fence.reset();
  --num_fences_;
  attempt_stopped(id, std::get<Running>(live.job.status).request);
  pump();
}

void Lifecycle::wait_for_retry(int64_t id) {
  const auto& retrying = std::get<Retrying>(ledger_.find(id)->job.status);
  // A clock that was set back must not stretch the delay.
  const double left_s =
      std::chrono::duration<double>(retrying.not_before - std::chrono::system_clock::now()).count();
  later(id, std::clamp(left_s, 0.0, options_.config.retry.max_delay_s), [this, id, reason = retrying.reason] {
    ledger_.record(id, Queued{"waits for its turn, after: " + reason});
    enqueue_and_pump(id);
  });
}

// ---- what a worker tells, and how it ends ----

void Lifecycle::message(int64_t id, const Json& report) {
  LiveJob* live = ledger_.find(id);
  if (live == nullptr) return;
  const auto type = report.value("type", std::string());
  Json event = report;
  event.erase("type");
  if (type == "progress") {
    live->progress = event;
  } else if (type == "metrics") {
    live->metrics = event.value("values", Json::object());
  } else if (type == "validation") {
    Json& validation = live->job.validation;
    if (validation.is_null()) validation = Json::object();
    validation[fmt::format("{}/{}", event.value("stage", ""), event.value("split", ""))] = event;
    if (event.value("best", false)) validation["best"] = event;
    ledger_.try_save(id);
  } else if (type == "warning") {
    live->warnings.push_back(event.value("name", "") + ": " + event.value("message", ""));
    if (live->warnings.size() > kMaxWarnings) live->warnings.erase(live->warnings.begin());
    event["level"] = "warning";
    event["message"] = live->warnings.back();
    return ledger_.publish(id, "log", event);
  } else if (type == "scorer_swap") {
    return scorer_decided(id, protocol::scorer_swap_outcome_from_json(report));
  } else if (type == "resume_point") {
    live->resume_iteration = event.value("iteration", int64_t{0});
    return;
  } else if (type != "checkpoint" && type != "log") {
    spdlog::debug(fmt::format("job {}: a message of the unknown type {}", id, type));
    return;
  }
  ledger_.publish(id, type, event);
}

void Lifecycle::attempt_ended(int64_t id, const AttemptEnd& end) {
  queue_.remove(id);
  LiveJob& live = *ledger_.find(id);
  live.progress = nullptr;
  ++live.turn;
  const Request request = std::get<Running>(live.job.status).request;
  using Kind = AttemptEnd::Kind;
  if (end.kind == Kind::superseded) {
    wait_for_survivor(id);
  } else if (end.kind == Kind::succeeded) {
    ledger_.record(id, Succeeded{end.result});
  } else if (end.kind == Kind::paused && request != Request::cancel) {
    ledger_.record(id, Paused{end.reason + "; resume it to go on"});
  } else if (end.kind == Kind::stopped || request == Request::cancel) {
    attempt_stopped(id, request);
  } else {
    attempt_failed(id, end);
  }
  if (stopped_ && supervisor_.num_running() == 0) {
    stop_timer_.cancel();
    asio::post(io_, [this] { stopped_(); });
  }
  pump();
}

void Lifecycle::attempt_stopped(int64_t id, Request request) {
  switch (request) {
    case Request::pause:
      return ledger_.record(id, Paused{"paused by its owner; resume it to go on from its last resume point"});
    case Request::cancel:
      return ledger_.record(
          id, Cancelled{"cancelled by its owner; its files are kept, and retry takes it up again"});
    case Request::none:
      break;
  }
  ledger_.record(id, Queued{"the daemon ended; the job goes on from its last resume point"});
  enqueue(id);
}

void Lifecycle::attempt_failed(int64_t id, const AttemptEnd& end) {
  Job& job = ledger_.find(id)->job;
  const std::string code(to_string(end.code));
  quarantine_scorer(job, job.swaps.in_use, end.sub_scorer, {.failure = end.failure, .reason = end.reason});
  if (end.kind == AttemptEnd::Kind::failed) return ledger_.record(id, Failed{end.reason, code, end.failure});
  ++job.num_failures;
  if (job.num_failures >= job.max_attempts)
    return ledger_.record(id, Failed{fmt::format("given up after {} failed attempts; the last: {}",
                                                 job.num_failures, end.reason),
                                     code, end.failure});
  if (std::get<Running>(job.status).request == Request::pause)
    return ledger_.record(id, Paused{"paused by its owner; its last attempt ended with: " + end.reason});
  const auto& delays = options_.config.retry;
  const double delay_s = std::min(
      delays.max_delay_s, delays.first_delay_s * std::exp2(static_cast<double>(job.num_failures - 1)));
  ledger_.record(id, Retrying{end.reason, std::chrono::system_clock::now() +
                                              std::chrono::milliseconds(std::llround(delay_s * 1000))});
  wait_for_retry(id);
}

// ---- what its owner wants ----

void Lifecycle::pause(int64_t id, const std::string& mutation_id) {
  LiveJob& live = *ledger_.find(id);
  if (std::holds_alternative<Running>(live.job.status)) {
    ledger_.request(id, Running{Request::pause}, mutation_id);
    return supervisor_.stop(id, Request::pause);
  }
  ledger_.request(id, Paused{"paused by its owner; resume it to go on"}, mutation_id);
  ++live.turn;
  queue_.remove(id);
  pump();
}

void Lifecycle::cancel(int64_t id, const std::string& mutation_id) {
  LiveJob& live = *ledger_.find(id);
  if (std::holds_alternative<Running>(live.job.status)) {
    ledger_.request(id, Running{Request::cancel}, mutation_id);
    return supervisor_.stop(id, Request::cancel);
  }
  ledger_.request(id, Cancelled{"cancelled by its owner; its files are kept"}, mutation_id);
  queue_.remove(id);
  pump();
}

void Lifecycle::queue_again(int64_t id, const std::string& mutation_id, bool with_all_attempts) {
  ledger_.request(id, Queued{"waits for its turn"}, mutation_id, [&](Job& job) {
    if (with_all_attempts) job.num_failures = 0;
  });
  ++ledger_.find(id)->turn;
  enqueue_and_pump(id);
}

}  // namespace rft::jobs
