// Watches incoming/. A folder is complete when it was renamed into place, when it holds a file READY, or when
// nothing in it changed for settle_s (monotonic clock). inotify only says that it is worth looking; what
// counts is the scan, which also runs at the start, when events were lost, when a folder is due, and once a
// minute. Names that begin with a dot are still being built and are passed over.
//
// Used on the io_context's thread; scans run on the pool, one at a time, however many hints come.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "jobs/folder.h"
#include "jobs/folder_watch.h"

namespace rft::jobs {

struct Arrival {
  std::filesystem::path path;
  FolderInfo info;
};

struct SettlingFolder {
  std::filesystem::path path;
  std::string reason;
};

class Intake {
 public:
  struct Events {
    // Whether a folder was taken already (and could not be removed).
    std::function<bool(const FolderIdentity&)> is_taken;
    // Complete folders, all of one scan. They are not looked at again until released.
    std::function<void(const std::vector<Arrival>&)> arrived;
  };

  Intake(boost::asio::io_context& io, boost::asio::thread_pool& pool, std::filesystem::path incoming,
         double settle_s, Events events);
  ~Intake();

  void start();
  // No more arrivals.
  void stop();
  // The folder that was at this path is dealt with; the next one there is a new one.
  void release(const std::filesystem::path& path);
  std::vector<SettlingFolder> settling() const;
  // The one of that name, also where it has just arrived and no scan has seen it yet.
  std::optional<SettlingFolder> settling(const std::string& name) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Known {
    FolderInfo info;
    Fingerprint print;
    Clock::time_point since;  // when it was first seen as it is
    bool taken = false;       // by an earlier job: not to be taken again
  };
  struct Seen {
    std::filesystem::path path;
    FolderInfo info;
    std::optional<Fingerprint> print;  // absent: not due, or not a folder
  };
  using Due = std::map<std::filesystem::path, bool>;  // of the known folders: whether to look inside

  void hint(const FolderWatch::Change& change);
  void scan_soon();
  void scan();
  static std::vector<Seen> look(const std::filesystem::path& incoming, const Due& due);
  void take_in(const std::vector<Seen>& seen);
  bool is_complete(const Seen& seen);
  SettlingFolder told(const std::filesystem::path& path, const Known& known) const;
  void schedule();

  boost::asio::io_context& io_;
  boost::asio::thread_pool& pool_;
  std::filesystem::path incoming_;
  Clock::duration settle_;
  Events events_;
  FolderWatch watch_;
  boost::asio::steady_timer timer_;
  std::map<std::filesystem::path, Known> known_;
  std::set<std::filesystem::path> moved_in_;
  std::set<std::filesystem::path> held_;  // handed over, not released
  bool scanning_ = false;
  bool again_ = false;
  bool stopped_ = false;
  std::shared_ptr<Intake*> self_;  // what a scan answers to; null once this is gone
};

}  // namespace rft::jobs
