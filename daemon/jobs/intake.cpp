#include "jobs/intake.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/clock.h"
#include "base/error.h"

namespace rft::jobs {
namespace fs = std::filesystem;
namespace {

constexpr auto kFullScanEvery = std::chrono::minutes(1);
// Hints that come while ten thousand folders are dropped are answered together.
constexpr auto kBetweenScans = std::chrono::milliseconds(100);

bool has_ready(const fs::path& folder) { return fs::is_regular_file(fs::symlink_status(folder / "READY")); }

}  // namespace

Intake::Intake(boost::asio::io_context& io, boost::asio::thread_pool& pool, fs::path incoming,
               double settle_s, Events events)
    : io_(io),
      pool_(pool),
      incoming_(std::move(incoming)),
      settle_(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(settle_s))),
      events_(std::move(events)),
      watch_(io, [this](const FolderWatch::Change& change) { hint(change); }),
      timer_(io),
      self_(std::make_shared<Intake*>(this)) {}

Intake::~Intake() { *self_ = nullptr; }

void Intake::start() {
  watch_.add(incoming_);
  scan();
}

void Intake::stop() {
  stopped_ = true;
  timer_.cancel();
}

void Intake::release(const fs::path& path) {
  held_.erase(path);
  scan_soon();
}

void Intake::hint(const FolderWatch::Change& change) {
  for (const auto& path : change.moved_in)
    if (path.parent_path() == incoming_) moved_in_.insert(path);
  scan_soon();
}

void Intake::scan_soon() {
  if (stopped_) return;
  again_ = true;
  if (!scanning_) schedule();
}

void Intake::scan() {
  if (scanning_ || stopped_) return;
  scanning_ = true;
  again_ = false;
  const auto now = Clock::now();
  Due due;
  for (const auto& [path, known] : known_) due[path] = !known.taken && now >= known.since + settle_;
  for (const auto& path : held_) due[path] = false;
  boost::asio::post(pool_, [&io = io_, self = self_, incoming = incoming_, due = std::move(due)] {
    auto seen = look(incoming, due);
    boost::asio::post(io, [self, seen = std::move(seen)] {
      if (*self != nullptr) (*self)->take_in(seen);
    });
  });
}

std::vector<Intake::Seen> Intake::look(const fs::path& incoming, const Due& due) {
  std::vector<Seen> seen;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(incoming, unreadable)) {
    const fs::path& path = entry.path();
    if (path.filename().string().front() == '.') continue;
    try {
      const auto info = folder_info(path);
      if (!info) continue;
      Seen one{path, *info, std::nullopt};
      const auto known = due.find(path);
      const bool look_inside = known == due.end() || known->second || has_ready(path);
      if (look_inside)
        one.print = info->is_folder ? fingerprint(path)
                                    : Fingerprint{static_cast<uint64_t>(info->identity.changed_ns)};
      seen.push_back(std::move(one));
    } catch (const Error&) {
      // It went away, or is not ours to read yet: the next scan sees it again.
    }
  }
  return seen;
}

void Intake::take_in(const std::vector<Seen>& seen) {
  scanning_ = false;
  if (stopped_) return;
  std::vector<Arrival> arrivals;
  std::map<fs::path, Known> still_known;
  for (const auto& one : seen) {
    if (held_.count(one.path) != 0) continue;
    if (is_complete(one)) {
      arrivals.push_back({one.path, one.info});
      watch_.remove(one.path);
    } else {
      still_known.insert(known_.extract(one.path));
    }
  }
  for (const auto& [path, _] : known_) watch_.remove(path);  // arrived, or gone
  known_ = std::move(still_known);
  for (const auto& arrival : arrivals) {
    moved_in_.erase(arrival.path);
    held_.insert(arrival.path);
  }
  if (!again_) moved_in_.clear();  // hints about what is no longer there
  if (!arrivals.empty()) events_.arrived(arrivals);
  schedule();
}

// Brings known_ up to date with what was seen.
bool Intake::is_complete(const Seen& seen) {
  const auto now = Clock::now();
  const auto found = known_.find(seen.path);
  const bool is_new = found == known_.end() ||
                      found->second.info.identity.inode != seen.info.identity.inode ||
                      (found->second.taken && found->second.info.identity != seen.info.identity);
  if (is_new) {
    Known known{seen.info, seen.print.value_or(Fingerprint{}), now};
    known.taken = events_.is_taken(seen.info.identity);
    known_[seen.path] = known;
    if (!known.taken && (known.print.has_ready || moved_in_.count(seen.path) != 0)) return true;
    if (seen.info.is_folder)
      watch_.add(seen.path);  // for its READY, or for a second drop under the same name
    return false;
  }
  Known& known = found->second;
  if (known.taken || !seen.print) return false;
  if (seen.print->has_ready) return true;
  const bool unchanged = *seen.print == known.print;
  if (unchanged && now >= known.since + settle_) {
    known.info = seen.info;
    return true;
  }
  if (!unchanged) known = {seen.info, *seen.print, now};
  return false;
}

void Intake::schedule() {
  auto next = Clock::now() + (again_ ? Clock::duration(kBetweenScans) : Clock::duration(kFullScanEvery));
  for (const auto& [_, known] : known_)
    if (!known.taken) next = std::min(next, known.since + settle_);
  timer_.expires_at(next);
  timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) scan();
  });
}

std::vector<SettlingFolder> Intake::settling() const {
  std::vector<SettlingFolder> folders;
  for (const auto& [path, known] : known_)
    if (!known.taken) folders.push_back(told(path, known));
  return folders;
}

std::optional<SettlingFolder> Intake::settling(const std::string& name) const {
  const bool is_folder_name = name.front() != '.' && name.find('/') == std::string::npos;
  const fs::path path = incoming_ / name;
  if (!is_folder_name || held_.contains(path)) return std::nullopt;
  if (const auto found = known_.find(path); found != known_.end())
    return found->second.taken ? std::nullopt : std::optional(told(path, found->second));
  std::error_code unreadable;
  if (!fs::exists(fs::symlink_status(path, unreadable))) return std::nullopt;
  return SettlingFolder{path, "it has just arrived, and is looked at in a moment"};
}

SettlingFolder Intake::told(const fs::path& path, const Known& known) const {
  const double age_s = seconds_since(known.since);
  return {path,
          fmt::format("last seen changing {:.1f} s ago; it is taken when nothing changed for {} s, or at "
                      "once when it holds a file READY",
                      age_s, std::chrono::duration<double>(settle_).count())};
}

}  // namespace rft::jobs
