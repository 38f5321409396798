// inotify on the event loop. It only hints: events may be lost (the kernel's queue is bounded), so whoever is
// called looks at the folder itself. Used on the io_context's thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace rft::jobs {

class FolderWatch {
 public:
  struct Change {
    std::vector<std::filesystem::path> moved_in;  // whole entries that a rename brought
    bool overflow = false;                        // events were lost
  };
  // `changed` is called after each portion of events. Throws Error(io) when there is no inotify.
  FolderWatch(boost::asio::io_context& io, std::function<void(const Change&)> changed);

  // Watches a folder's own entries, not those below them. Answers whether it does: the kernel's number of
  // watches is bounded, and a folder may be gone.
  bool add(const std::filesystem::path& folder);
  void remove(const std::filesystem::path& folder);

 private:
  void read();
  Change parse(const char* bytes, size_t size);

  std::function<void(const Change&)> changed_;
  boost::asio::posix::stream_descriptor inotify_;
  std::vector<char> buffer_;
  std::map<int, std::filesystem::path> folders_;  // by watch descriptor
  std::map<std::filesystem::path, int> watches_;
};

}  // namespace rft::jobs
