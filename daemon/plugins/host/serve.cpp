#include "plugins/host/serve.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "plugins/host/confinement.h"
#include "plugins/host/plugin.h"

namespace rft::plugins::host {
namespace {

constexpr int kKeptBytes = 16 << 20;  // of the heap's end

bool receive_exactly(int socket, char* into, size_t size) {
  while (size > 0) {
    const ssize_t got = ::recv(socket, into, size, MSG_WAITALL);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

// Until something is there to be read, or for a moment.
void stay_awake(int socket) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(wire::kAwakeNs);
  char next = 0;
  while (::recv(socket, &next, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && std::chrono::steady_clock::now() < until)
    ::sched_yield();
}

struct Request {
  wire::FrameType type;
  std::string body;
};

// Into `request`, whose memory is used again. Answers whether there was one.
bool receive(int socket, Request& request) {
  char header[wire::kHeaderBytes];
  if (!receive_exactly(socket, header, sizeof header)) return false;
  const wire::Header frame = wire::read_header({header, sizeof header});
  request.type = frame.type;
  request.body.resize(frame.body_bytes);
  return receive_exactly(socket, request.body.data(), request.body.size());
}

// The plugin and what it answers to each request.
class Session {
 public:
  // Whether to fall asleep and be woken may take longer than an answer.
  bool is_quick() const { return is_shared_object_; }

  std::string answer(const Request& request) {
    try {
      if (!is_shared_object_) return dispatch(request);
      before_ = request.body;
      std::string reply = dispatch(request);
      if (request.body != before_) throw PluginError(PluginFailure::changed_input, "it wrote into its input");
      return reply;
    } catch (const PluginError& error) {
      return wire::encode(wire::Failed{error.kind(), error.what()});
    } catch (
        const std::exception& error) {  // what a plugin throws past its own boundary, and what fails here
      return wire::encode(wire::Failed{PluginFailure::threw, error.what()});
    }
  }

 private:
  std::string dispatch(const Request& request) {
    if ((plugin_ == nullptr) != (request.type == wire::FrameType::open))
      throw PluginError(PluginFailure::protocol, "a request out of turn");
    switch (request.type) {
      case wire::FrameType::open:
        return open(wire::decode_open(request.body));
      case wire::FrameType::score:
        return wire::encode_scored(plugin_->score(wire::decode_score(request.body)));
      case wire::FrameType::summarize:
        return wire::encode_summarized(plugin_->summarize(wire::decode_summarize(request.body)));
      case wire::FrameType::convert:
        return wire::encode_converted(plugin_->convert(wire::decode_convert(request.body)));
      case wire::FrameType::read:
        return wire::encode_were_read(plugin_->read(wire::decode_read(request.body)));
      default:
        throw PluginError(PluginFailure::protocol, "a frame that is no request");
    }
  }

  // What a plugin, or the program that it is, finds in its environment: set here and not at the start of
  // this process, whose first environment others can see.
  static void set_environment(const wire::Open& open) {
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%g", open.timeout_s);
    ::setenv("RFT_TIMEOUT_S", seconds, 1);
    ::setenv("RFT_HOSTS", std::to_string(open.num_hosts).c_str(), 1);
    if (!open.state_file.empty()) ::setenv("RFT_STATE_FILE", open.state_file.c_str(), 1);
    if (open.secrets != "{}") ::setenv("RFT_SECRETS", open.secrets.c_str(), 1);
  }

  std::string open(const wire::Open& open) {
    set_environment(open);
    confine(open);
    plugin_ = open.implementation == "shared_object" ? load_shared_object(open) : start_program(open);
    is_shared_object_ = open.implementation == "shared_object";
    return wire::encode(plugin_->opened());
  }

  std::unique_ptr<Plugin> plugin_;
  bool is_shared_object_ = false;
  std::string before_;  // what the plugin was given, to see that it left it alone
};

// A plugin's prints go to the log, and it reads nothing.
void redirect_standard_streams() {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(2, 1) < 0)
    throw_errno("cannot redirect the standard streams");
}

}  // namespace

int serve(int socket) {
  redirect_standard_streams();
  // What one batch took the next one takes again: given back in between, each page would be made anew.
  ::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  ::signal(SIGPIPE, SIG_IGN);  // a program that ends is told by its answers
  ::signal(SIGXFSZ, SIG_IGN);  // a write beyond a file's limit fails, and that is enough
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  {
    Session session;
    Request request;
    while (receive(socket, request) && send_all(socket, session.answer(request)))
      if (session.is_quick()) stay_awake(socket);
  }
  return 0;
}

}  // namespace rft::plugins::host
