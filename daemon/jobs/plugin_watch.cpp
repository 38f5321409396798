#include "jobs/plugin_watch.h"

#include <utility>

namespace rft::jobs {

PluginWatch::PluginWatch(boost::asio::io_context& io, const std::filesystem::path& shipped,
                         const std::filesystem::path& dropped, double settle_s, std::function<void()> changed)
    : registry_(shipped, dropped, settle_s),
      changed_(std::move(changed)),
      timer_(io),
      watch_(io, [this](const FolderWatch::Change& change) { rescan(change.moved_in); }) {
  watch_.add(dropped);
  rescan();  // what changed between the registry's first look and the watch
}

void PluginWatch::rescan(const std::vector<std::filesystem::path>& moved_in) {
  bool differs = false;
  std::optional<std::chrono::steady_clock::time_point> due;
  {
    const std::lock_guard lock(mutex_);
    differs = registry_.rescan(moved_in);
    due = registry_.rescan_due();
  }
  if (due) {
    timer_.expires_at(*due);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) rescan();
    });
  }
  if (differs && changed_) changed_();
  call_settled();
}

void PluginWatch::when_settled(const std::string& name, std::function<void()> then) {
  waiting_.emplace(name, std::move(then));
  call_settled();
}

// What is called may look again, or wait again.
void PluginWatch::call_settled() {
  std::vector<std::function<void()>> settled;
  for (auto waiter = waiting_.begin(); waiter != waiting_.end();) {
    if (settles(waiter->first)) {
      ++waiter;
    } else {
      settled.push_back(std::move(waiter->second));
      waiter = waiting_.erase(waiter);
    }
  }
  for (const auto& then : settled) then();
}

bool PluginWatch::settles(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return registry_.settles(name);
}

std::vector<plugins::PluginRow> PluginWatch::rows() const {
  const std::lock_guard lock(mutex_);
  return registry_.rows();
}

plugins::ResolvedPlugin PluginWatch::resolve(const std::string& name_or_path,
                                             const std::filesystem::path& job_folder,
                                             const std::string& kind) const {
  const std::lock_guard lock(mutex_);
  return registry_.resolve(name_or_path, job_folder, kind);
}

}  // namespace rft::jobs
