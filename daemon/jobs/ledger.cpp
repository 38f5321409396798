#include "jobs/ledger.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/error.h"

namespace rft::jobs {
namespace {

constexpr auto kSaveAgainAfter = std::chrono::seconds(5);

void set_status(Job& job, const Status& status) {
  job.status = status;
  const State state = state_of(status);
  const auto now = std::chrono::system_clock::now();
  if (state == State::running && job.started_at == SystemTime{}) job.started_at = now;
  job.finished_at = is_finished(state) ? now : SystemTime{};
  if (!job.swaps.pending()) return;
  // Whoever asked for another scorer is answered once the job is at rest; nobody waits for it any more.
  if (state != State::running) job.swaps.last.pause_if_refused = true;
  if (is_finished(state)) {
    job.swaps.state = SwapState::refused;
    job.swaps.reason = "the job ended before its next iteration";
  }
}

// A finished job's warnings are in what its worker told last.
std::vector<std::string> warnings_in(const Json& result) {
  std::vector<std::string> warnings;
  if (!result.is_object() || !result.value("warnings", Json()).is_array()) return warnings;
  for (const Json& warning : result.at("warnings"))
    if (warning.is_object())
      warnings.push_back(warning.value("name", "") + ": " + warning.value("message", ""));
  return warnings;
}

}  // namespace

Ledger::Ledger(boost::asio::io_context& io, Home home)
    : io_(io), home_(std::move(home)), store_(home_.database()), save_timer_(io) {}

LiveJob* Ledger::find(int64_t id) {
  const auto found = live_.find(id);
  return found == live_.end() ? nullptr : found->second.get();
}

void Ledger::load(Job job) {
  const int64_t id = job.id;
  live_[id] = std::make_unique<LiveJob>(io_, std::move(job));
}

void Ledger::add(std::vector<Job>& jobs, const std::string& mutation_id) {
  store_.add(jobs, mutation_id);
  for (const auto& job : jobs) {
    load(job);
    changed(job.id);
  }
}

void Ledger::request(int64_t id, const Status& status, const std::string& mutation_id,
                     const std::function<void(Job&)>& also) {
  LiveJob* live = find(id);
  auto stored = live != nullptr ? std::nullopt : store_.find(id);
  if (live == nullptr && !stored)
    throw Error(ErrorCode::not_found, fmt::format("there is no job {}", id), "job");
  Job next = live != nullptr ? live->job : *stored;
  set_status(next, status);
  if (also) also(next);
  store_.update(next, mutation_id);
  if (live == nullptr)
    load(next);
  else
    live->job = next;
  find(id)->note.clear();
  changed(id);
}

void Ledger::record(int64_t id, const Status& status) {
  LiveJob& live = *live_.at(id);
  set_status(live.job, status);
  live.note.clear();
  try_save(id);
  changed(id);
}

void Ledger::amend(int64_t id, const std::function<void(Job&)>& change, const std::string& happened) {
  change(live_.at(id)->job);
  try_save(id, happened);
  changed(id);
}

void Ledger::try_save(int64_t id, const std::string& happened) {
  try {
    store_.update(live_.at(id)->job, "", happened);
    unsaved_.erase(id);
  } catch (const Error& error) {
    spdlog::error(fmt::format("{}; trying again in {} s", error.what(), kSaveAgainAfter.count()));
    unsaved_.insert(id);
    save_timer_.expires_after(kSaveAgainAfter);
    save_timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) save_again();
    });
  }
}

void Ledger::save_again() {
  const auto ids = unsaved_;
  for (const int64_t id : ids) {
    try_save(id);
    if (unsaved_.count(id) == 0 && is_finished(state_of(live_.at(id)->job.status))) live_.erase(id);
  }
}

void Ledger::note(int64_t id, const std::string& text) {
  LiveJob* live = find(id);
  if (live == nullptr || live->note == text) return;
  live->note = text;
  publish(id, "status", to_json(view(live->job, live)));
}

void Ledger::publish(int64_t id, std::string_view kind, const Json& event) const {
  if (sink_) sink_(fmt::format("job.{}.{}", id, kind), event);
}

// Tells everybody; forgets a job that has nothing more to do.
void Ledger::changed(int64_t id) {
  const LiveJob& live = *live_.at(id);
  const JobView now = view(live.job, &live);
  spdlog::info(fmt::format("job {} ({}) is {}{}{}", id, now.name, to_string(now.state),
                           now.reason.empty() ? "" : ": ", now.reason));
  publish(id, "status", to_json(now));
  std::vector<Jobs::Done> answered;
  for (auto [waiter, end] = waiters_.equal_range(id); waiter != end;) {
    if (waiter->second.condition(live.job)) {
      answered.push_back(std::move(waiter->second.done));
      waiter = waiters_.erase(waiter);
    } else {
      ++waiter;
    }
  }
  if (is_finished(now.state) && unsaved_.count(id) == 0) live_.erase(id);
  for (const auto& done : answered) done({std::nullopt, now});
}

void Ledger::when(int64_t id, Condition condition, Jobs::Done done) {
  const LiveJob* live = find(id);
  const auto job = live != nullptr ? std::optional(live->job) : store_.find(id);
  if (!job) throw Error(ErrorCode::not_found, fmt::format("there is no job {}", id), "job");
  if (live == nullptr || condition(*job)) return done({std::nullopt, view(*job, live)});
  waiters_.emplace(id, Waiter{std::move(condition), std::move(done)});
}

void Ledger::dismiss_waiters(const Error& error) {
  const auto waiters = std::move(waiters_);
  waiters_.clear();
  for (const auto& [id, waiter] : waiters) waiter.done({error, view(id)});
}

JobView Ledger::view(int64_t id) const {
  if (const auto live = live_.find(id); live != live_.end())
    return view(live->second->job, live->second.get());
  const auto job = store_.find(id);
  if (!job) throw Error(ErrorCode::not_found, fmt::format("there is no job {}", id), "job");
  return view(*job, nullptr);
}

JobView Ledger::view(const Job& job, const LiveJob* live) const {
  JobView view;
  view.id = job.id;
  view.name = job.name;
  view.state = state_of(job.status);
  view.reason = live != nullptr && !live->note.empty() ? live->note : reason_of(job.status);
  view.attempt = job.attempt;
  view.num_failures = job.num_failures;
  view.max_attempts = job.max_attempts;
  view.cores = job.cores;
  view.gpus = job.gpus;
  view.model = job.model;
  view.scorer = job.scorer;
  view.folder = home_.job(job.folder_name());
  view.created_at = time_text(job.created_at);
  view.started_at = time_text(job.started_at);
  view.finished_at = time_text(job.finished_at);
  view.validation = job.validation;
  view.scorer_swap = jobs::view_of(job.swaps);
  if (const auto* failed = std::get_if<Failed>(&job.status)) {
    view.code = failed->code;
    view.failure = failed->failure;
  }
  if (const auto* rejected = std::get_if<Rejected>(&job.status)) view.folder = rejected->folder;
  if (const auto* retrying = std::get_if<Retrying>(&job.status))
    view.next_attempt_at = time_text(retrying->not_before);
  if (const auto* succeeded = std::get_if<Succeeded>(&job.status)) view.result = succeeded->result;
  view.warnings = warnings_in(view.result);
  if (live != nullptr) {
    view.progress = live->progress;
    view.metrics = live->metrics;
    view.warnings = live->warnings;
  }
  return view;
}

Json to_json(const JobView& view) {
  Json json = {{"id", view.id}, {"name", view.name}, {"state", to_string(view.state)}};
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
  };
  const auto value = [&](const char* key, const Json& member) {
    if (!member.is_null()) json[key] = member;
  };
  text("reason", view.reason);
  text("code", view.code);
  text("failure", view.failure);
  json["attempt"] = view.attempt;
  json["num_failures"] = view.num_failures;
  json["max_attempts"] = view.max_attempts;
  json["cores"] = view.cores;
  json["gpus"] = view.gpus;
  text("model", view.model);
  text("scorer", view.scorer);
  text("folder", view.folder.string());
  text("created_at", view.created_at);
  text("started_at", view.started_at);
  text("finished_at", view.finished_at);
  text("next_attempt_at", view.next_attempt_at);
  value("progress", view.progress);
  value("metrics", view.metrics);
  value("validation", view.validation);
  value("result", view.result);
  value("scorer_swap", view.scorer_swap);
  if (!view.warnings.empty()) json["warnings"] = view.warnings;
  return json;
}

}  // namespace rft::jobs
