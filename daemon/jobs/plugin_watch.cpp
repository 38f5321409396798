#include "jobs/plugin_watch.h"

#include <utility>

namespace rft::jobs {

PluginWatch::PluginWatch(boost::asio::io_context& io, const std::filesystem::path& shipped,
                         const std::filesystem::path& dropped, double settle_s, std::function<void()> changed)
    : registry_(shipped, dropped, settle_s),
      changed_(std::move(changed)),
      timer_(io),
      watch_(io, [this](const FolderWatch::Change&) { rescan(); }) {
  watch_.add(dropped);
  rescan();  // what changed between the registry's first look and the watch
}

void PluginWatch::rescan() {
  bool differs = false;
  std::optional<std::chrono::steady_clock::time_point> due;
  {
    const std::lock_guard lock(mutex_);
    differs = registry_.rescan();
    due = registry_.rescan_due();
  }
  if (due) {
    timer_.expires_at(*due);
    timer_.async_wait([this](const boost::system::error_code& cancelled) {
      if (!cancelled) rescan();
    });
  }
  if (differs && changed_) changed_();
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
