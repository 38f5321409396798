#include "jobs/supervisor.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <array>

#include "base/error.h"

namespace rft::jobs {
namespace asio = boost::asio;
namespace {

// A connection that does not say who it is goes away again.
constexpr auto kHelloTimeout = std::chrono::seconds(10);
// What a worker wrote before it ended is read to the end; only a descriptor that leaked into a process that
// it left behind can keep the stream open longer.
constexpr auto kDrainTimeout = std::chrono::seconds(2);

std::string make_token() {
  std::array<unsigned char, 32> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw Error(ErrorCode::internal, "no random bytes for a worker's token");
  std::string token;
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

bool same_token(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::chrono::steady_clock::duration duration_of(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(seconds));
}

}  // namespace

struct Supervisor::Attempt {
  Attempt(asio::io_context& io) : deadline(io), drain(io) {}

  int64_t number = 0;
  std::string token;
  std::unique_ptr<executor::Placement> placement;
  std::shared_ptr<WorkerSession> session;
  asio::steady_timer deadline;  // to connect, or to stop
  asio::steady_timer drain;
  std::filesystem::path folder;
  std::filesystem::path stderr_file() const { return folder / "stderr.txt"; }
  uint64_t stderr_offset = 0;
  Request request = Request::none;
  bool exited = false;
  AttemptEvidence evidence;
};

Supervisor::Supervisor(asio::io_context& io, executor::Executor& executor, std::filesystem::path socket,
                       config::WorkerConfig config, Events events)
    : io_(io),
      executor_(executor),
      socket_(std::move(socket)),
      config_(config),
      events_(std::move(events)),
      acceptor_(io) {
  std::filesystem::remove(socket_);
  try {
    acceptor_.open();
    const mode_t before = ::umask(0177);
    acceptor_.bind(socket_.string());
    ::umask(before);
    acceptor_.listen();
  } catch (const boost::system::system_error& error) {
    throw Error(ErrorCode::io,
                fmt::format("cannot listen on {}: {}", socket_.string(), error.code().message()));
  }
  accept();
}

Supervisor::~Supervisor() { abandon_all(); }

void Supervisor::accept() {
  acceptor_.async_accept([this](const boost::system::error_code& error, WorkerSession::Socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      auto session = std::make_shared<WorkerSession>(std::move(socket));
      auto timer = std::make_shared<asio::steady_timer>(io_, kHelloTimeout);
      timer->async_wait([session](const boost::system::error_code& cancelled) {
        if (!cancelled) session->close();
      });
      session->start({[this, weak = std::weak_ptr(session), timer](const Json& hello) {
                        timer->cancel();
                        if (const auto greeted = weak.lock()) greet(greeted, hello);
                      },
                      {}});
    }
    accept();
  });
}

void Supervisor::greet(const std::shared_ptr<WorkerSession>& session, const Json& message) {
  std::string refusal = "no such attempt is running";
  try {
    const auto hello = protocol::hello_from_json(message);
    const auto found = attempts_.find(hello.job);
    if (found != attempts_.end() && found->second->number == hello.attempt && !found->second->session &&
        same_token(found->second->token, hello.token)) {
      Attempt& attempt = *found->second;
      attempt.session = session;
      session->set_events({[this, job = hello.job](const Json& report) { take_message(job, report); },
                           [this, job = hello.job] { session_closed(job); }});
      session->send({{"type", "welcome"}});
      attempt.deadline.cancel();
      if (attempt.request != Request::none) stop(hello.job, attempt.request);
      events_.connected(hello.job);
      return;
    }
  } catch (const Error& error) {
    refusal = error.what();
  }
  session->send({{"type", "refused"}, {"reason", refusal}});
  session->close();
}

void Supervisor::start(int64_t job, const std::filesystem::path& folder, int64_t number,
                       const Allocation& allocation) {
  auto attempt = std::make_unique<Attempt>(io_);
  attempt->number = number;
  attempt->token = make_token();
  attempt->folder = folder;
  std::error_code missing;
  const auto size = std::filesystem::file_size(attempt->stderr_file(), missing);
  attempt->stderr_offset = missing ? 0 : size;
  attempt->evidence.kills_before = count_out_of_memory_kills();
  const executor::AttemptSpec spec{folder,           socket_,         attempt->token,        number,
                                   allocation.cores, allocation.gpus, attempt->stderr_file()};
  attempt->placement =
      executor_.place(spec, [this, job](const ExitStatus& status) { process_ended(job, status); });
  kill_after(job, *attempt, config_.connect_timeout_s,
             fmt::format("its worker did not report within {} s of its start", config_.connect_timeout_s));
  attempts_[job] = std::move(attempt);
}

void Supervisor::tell(int64_t job, const Json& command) {
  const auto found = attempts_.find(job);
  if (found != attempts_.end() && found->second->session) found->second->session->send(command);
}

void Supervisor::stop(int64_t job, Request request) {
  const auto found = attempts_.find(job);
  if (found == attempts_.end()) return;
  Attempt& attempt = *found->second;
  attempt.request = request;
  attempt.evidence.stop_asked = true;
  if (attempt.session) attempt.session->send({{"type", request == Request::pause ? "pause" : "stop"}});
  kill_after(job, attempt, config_.stop_timeout_s,
             fmt::format("its worker did not stop within {} s", config_.stop_timeout_s));
}

Supervisor::Attempt* Supervisor::find(int64_t job, int64_t number) {
  const auto found = attempts_.find(job);
  return found != attempts_.end() && found->second->number == number ? found->second.get() : nullptr;
}

void Supervisor::kill_after(int64_t job, Attempt& attempt, double seconds, const std::string& because) {
  attempt.deadline.expires_after(duration_of(seconds));
  // By number, not by address: a timer that has just expired calls although its attempt is gone.
  attempt.deadline.async_wait(
      [this, job, number = attempt.number, because](const boost::system::error_code& cancelled) {
        Attempt* const late = cancelled ? nullptr : find(job, number);
        if (late == nullptr || late->exited) return;
        late->evidence.killed_because = because;
        late->placement->kill();
      });
}

void Supervisor::take_message(int64_t job, const Json& message) {
  const auto found = attempts_.find(job);
  if (found == attempts_.end()) return;
  if (message.value("type", "") != "finished") {
    events_.message(job, message);
    return;
  }
  found->second->evidence.last_words = protocol::finished_from_json(message);
}

void Supervisor::session_closed(int64_t job) {
  const auto found = attempts_.find(job);
  if (found == attempts_.end()) return;
  Attempt& attempt = *found->second;
  attempt.session.reset();
  if (attempt.exited) return finish(job);
  // A worker that has closed its stream has nothing left to do.
  if (!attempt.evidence.stop_asked)
    kill_after(job, attempt, config_.stop_timeout_s, "its worker closed its connection and did not end");
}

void Supervisor::process_ended(int64_t job, const ExitStatus& status) {
  Attempt& attempt = *attempts_.at(job);
  attempt.exited = true;
  attempt.evidence.exit = status;
  attempt.deadline.cancel();
  if (!attempt.session) return finish(job);
  attempt.drain.expires_after(kDrainTimeout);
  attempt.drain.async_wait([this, job, number = attempt.number](const boost::system::error_code& cancelled) {
    if (!cancelled && find(job, number) != nullptr) finish(job);
  });
}

void Supervisor::finish(int64_t job) {
  const auto node = attempts_.extract(job);
  if (node.empty()) return;
  Attempt& attempt = *node.mapped();
  if (attempt.session) attempt.session->close();
  attempt.evidence.kills_after = count_out_of_memory_kills();
  attempt.evidence.estimate = memory::read_estimate(attempt.folder);
  attempt.evidence.stderr_tail = file_tail(attempt.stderr_file(), attempt.stderr_offset);
  events_.ended(job, judge(attempt.evidence));
}

void Supervisor::abandon_all() {
  for (auto& [job, attempt] : attempts_) {
    attempt->placement->abandon();
    if (attempt->session) attempt->session->close();
  }
  attempts_.clear();
}

}  // namespace rft::jobs
