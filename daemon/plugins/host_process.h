// One rft-plugin-host with one plugin in it, seen from the daemon's side: started, asked, and, whatever it
// does, gone without a trace when its owner goes. Not thread-safe; dies with the thread that made it.
#pragma once

#include <cstdint>
#include <string>

#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "plugins/cgroup.h"
#include "plugins/host_options.h"
#include "plugins/launch.h"
#include "plugins/printed_output.h"
#include "plugins/wire.h"

namespace rft::plugins {

class HostProcess {
 public:
  // Starts the process and has it load a plugin of kind `role` and create its instance. Throws PluginError.
  HostProcess(const HostOptions& options, const std::string& role);
  // Closes the connection, gives the process a second to end, then kills its whole process group.
  ~HostProcess();
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;

  const wire::Opened& plugin() const { return opened_; }

  // Sends a frame and answers the body of the frame that comes back, which is of type `expected`. `doing`
  // continues the sentence "… while ". Throws PluginError: with the host's own words for a `failed` frame,
  // after which the process can be asked again; or, after a crash, a broken frame or `timeout_s`, with the
  // process killed and alive() false. `timeout_key`, where there is one, is what a user can set `timeout_s`
  // by.
  std::string ask(const std::string& frame, wire::FrameType expected, double timeout_s,
                  const std::string& doing, const std::string& timeout_key = "");
  bool alive() const { return static_cast<bool>(socket_); }

  // What it and all that it started hold of their own, in bytes; 0 where the kernel does not say.
  int64_t memory_bytes() const;

  // Kills the process, if it still runs, and everything that it started.
  ExitStatus kill();
  // What the plugin said, for people: its file as they know it, not its pinned copy, and the limit of its
  // memory where the words tell of a lack of it.
  std::string explained(std::string words) const;
  // Whether a plugin's words tell of a lack of memory: C++ and Python say it by an exception.
  static bool tells_of_lack_of_memory(std::string_view words);
  // "scorer fraud (fraud.so)": how messages name the plugin.
  const std::string& title() const { return title_; }

 private:
  HostProcess(const HostOptions& options, const std::string& role, const Launch& launch);
  using Deadline = int64_t;  // monotonic nanoseconds
  void send(std::string_view frame, Deadline deadline);
  std::string receive(wire::FrameType& type, Deadline deadline);
  void receive_exactly(char* into, size_t size, Deadline deadline);
  void wait_until_ready(short events, Deadline deadline);
  bool ended_within(int timeout_ms);  // does not reap
  enum class Woken { by_socket, by_its_end, by_deadline };
  Woken wait(short events, Deadline deadline);
  [[noreturn]] void fail_crashed(const std::string& doing);
  std::string last_words();

  std::string plugin_path_;
  std::string file_;  // as the user knows it
  std::string title_;
  uint64_t memory_limit_bytes_;
  int64_t awake_ns_;
  PrintedOutput printed_;
  PluginCgroup cgroup_;
  bool in_namespaces_ = false;
  UniqueFd socket_;
  Subprocess process_;
  wire::Opened opened_;
};

}  // namespace rft::plugins
