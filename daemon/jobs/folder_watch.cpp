#include "jobs/folder_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"

namespace rft::jobs {
namespace {

constexpr uint32_t kEvents = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE |
                             IN_ATTRIB | IN_ONLYDIR | IN_DONT_FOLLOW;

int open_inotify() {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) throw_errno("cannot watch folders (inotify)");
  return fd;
}

}  // namespace

FolderWatch::FolderWatch(boost::asio::io_context& io, std::function<void(const Change&)> changed)
    : changed_(std::move(changed)), inotify_(io, open_inotify()), buffer_(1 << 16) {
  read();
}

bool FolderWatch::add(const std::filesystem::path& folder) {
  const int watch = ::inotify_add_watch(inotify_.native_handle(), folder.c_str(), kEvents);
  if (watch < 0) return false;
  folders_[watch] = folder;
  watches_[folder] = watch;
  return true;
}

void FolderWatch::remove(const std::filesystem::path& folder) {
  const auto found = watches_.find(folder);
  if (found == watches_.end()) return;
  ::inotify_rm_watch(inotify_.native_handle(), found->second);
  folders_.erase(found->second);
  watches_.erase(found);
}

void FolderWatch::read() {
  inotify_.async_read_some(boost::asio::buffer(buffer_),
                           [this](const boost::system::error_code& error, size_t size) {
                             if (error) return;  // closed
                             const Change change = parse(buffer_.data(), size);
                             read();
                             changed_(change);
                           });
}

FolderWatch::Change FolderWatch::parse(const char* bytes, size_t size) {
  Change change;
  for (size_t offset = 0; offset + sizeof(inotify_event) <= size;) {
    inotify_event event;
    std::memcpy(&event, bytes + offset, sizeof event);
    const char* name = bytes + offset + sizeof event;
    offset += sizeof event + event.len;
    if ((event.mask & IN_Q_OVERFLOW) != 0) change.overflow = true;
    if ((event.mask & IN_MOVED_TO) == 0) continue;
    if (const auto folder = folders_.find(event.wd); folder != folders_.end())
      change.moved_in.push_back(folder->second / name);
  }
  return change;
}

}  // namespace rft::jobs
