// The plugins under HOME/plugins, kept up to date: inotify hints at a change, the registry's own deadline
// brings what settles, and the registry decides. Used on the io_context's thread; `resolve`, `settles` and
// `rows` may be called from any thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "jobs/folder_watch.h"
#include "plugins/registry.h"

namespace rft::jobs {

class PluginWatch {
 public:
  // `changed` is called on the io_context's thread when rows() differ.
  PluginWatch(boost::asio::io_context& io, const std::filesystem::path& shipped,
              const std::filesystem::path& dropped, double settle_s, std::function<void()> changed);

  // Looks now, whether or not there was a hint yet. See plugins::Registry::rescan.
  void rescan(const std::vector<std::filesystem::path>& moved_in = {});
  // Calls `then` once no file of the plugin `name` is settling, which may be now.
  void when_settled(const std::string& name, std::function<void()> then);

  std::vector<plugins::PluginRow> rows() const;
  // See plugins::Registry::settles.
  bool settles(const std::string& name) const;
  // See plugins::Registry::resolve.
  plugins::ResolvedPlugin resolve(const std::string& name_or_path, const std::filesystem::path& job_folder,
                                  const std::string& kind) const;

 private:
  void call_settled();

  mutable std::mutex mutex_;  // of the registry
  plugins::Registry registry_;
  std::function<void()> changed_;
  std::multimap<std::string, std::function<void()>> waiting_;  // by the plugin's name
  boost::asio::steady_timer timer_;
  FolderWatch watch_;
};

}  // namespace rft::jobs
