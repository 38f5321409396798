// A scorer that does what its options say: {"when": "create" | "score" | "summarize" | "destroy", "do": ...}.
// Without options it scores every completion by its length.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <rft/scorer.hpp>
#include <stdexcept>
#include <thread>

namespace {

void* volatile nowhere = nullptr;

[[noreturn]] void report_denied(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

void fork_and_hang() {
  const pid_t child = ::fork();
  if (child < 0) report_denied("fork");
  if (child == 0)
    for (;;) ::pause();
  for (;;) ::pause();
}

// What can be done at any time.
void misbehave(const std::string& deed) {
  if (deed == "segv") ::raise(SIGSEGV);
  if (deed == "null") std::memset(nowhere, 1, 1);
  if (deed == "abort") std::abort();
  if (deed == "exit") ::_exit(3);
  if (deed == "exit_0") std::exit(0);
  if (deed == "hang")
    for (;;) ::pause();
  if (deed == "spin")
    for (;;) nowhere = nullptr;
  if (deed == "throw") throw std::runtime_error("the deed was to throw");
  if (deed == "throw_int") throw 42;
  if (deed == "fork") fork_and_hang();
  if (deed == "socket" && ::socket(AF_INET, SOCK_STREAM, 0) < 0) report_denied("socket");
  if (deed == "kill_parent" && ::kill(::getppid(), SIGTERM) < 0) report_denied("kill");
  if (deed == "exec") {
    ::execl("/bin/true", "true", nullptr);
    report_denied("exec");
  }
  if (deed == "allocate")
    for (;;) std::memset(std::malloc(1 << 24), 1, 1 << 24);
  if (deed == "allocate_cpp") std::vector<char>(size_t{1} << 36, 'x');
  if (deed == "close_connection") {
    ::close(3);
    for (;;) ::pause();
  }
  if (deed == "garbage") {
    [[maybe_unused]] const auto written = ::write(3, "\xff\xff\xff\xff garbage", 12);
    for (;;) ::pause();
  }
  if (deed == "close_all") {
    ::close_range(0, ~0U, 0);
    return;
  }
  if (deed == "slow") ::usleep(200'000);
  if (deed == "leak") std::memset(std::malloc(1 << 26), 1, 1 << 26);
  if (deed == "print") std::printf("a line on stdout\n"), std::fflush(stdout);
  if (deed == "thread") std::thread([] {}).join();
}

}  // namespace

class Hostile : public rft::Scorer {
 public:
  explicit Hostile(std::string_view options) {
    const rft::Fields fields(options);
    when_ = fields.text("when").value_or("never");
    deed_ = fields.text("do").value_or("");
    path_ = fields.text("path").value_or("");
    if (when_ == "create") misbehave(deed_);
  }
  ~Hostile() override {
    if (when_ == "destroy") misbehave(deed_);
  }

  void score(rft::Batch& batch) override {
    if (when_ != "score") return score_by_length(batch);
    misbehave(deed_);
    if (deed_ == "leave_unwritten") return;
    score_by_length(batch);
    auto& last = batch.back();
    if (deed_ == "nan") last.set_score(std::nan(""));
    if (deed_ == "infinity") last.set_score(std::numeric_limits<double>::infinity());
    if (deed_ == "nan_sub_score") last.set_sub_score("part", std::nan(""));
    if (deed_ == "fail_one") last.fail("this one cannot be judged");
    if (deed_ == "keep_input") {
      if (kept_ != nullptr) last.set_score(*kept_);
      kept_ = batch.front().completion().data();
    }
    if (deed_ == "count") last.set_score(num_calls_++);
    if (deed_ == "answer_late") std::thread([&] { last.set_valid(false); }).join();
    if (deed_ == "change_input") const_cast<char*>(batch.front().completion().data())[0] ^= 1;
    if (deed_ == "read_file") {
      std::FILE* file = std::fopen(path_.c_str(), "r");
      if (file == nullptr) report_denied("read");
      std::fclose(file);
    }
    if (deed_ == "write_file") {
      std::FILE* file = std::fopen(path_.c_str(), "w");
      if (file == nullptr) report_denied("write");
      std::fclose(file);
    }
    if (deed_ == "environment" && std::getenv("RFT_TEST_SECRET") != nullptr)
      throw std::runtime_error("a secret");
  }

  void summarize(const rft::Scored& scored, rft::Numbers& numbers) {
    if (when_ == "summarize") misbehave(deed_);
    numbers.set("count", static_cast<double>(scored.size()));
    double sum = 0, failed = 0;
    for (size_t i = 0; i < scored.size(); ++i) scored.failed(i) ? ++failed : sum += scored.score(i);
    numbers.set("sum", sum);
    numbers.set("failed", failed);
    if (when_ == "summarize" && deed_ == "nan") numbers.set("ratio", std::nan(""));
  }

 private:
  static void score_by_length(rft::Batch& batch) {
    for (auto& episode : batch) {
      episode.set_score(static_cast<double>(episode.completion().size()));
      episode.set_reason(std::string(episode.prompt()) + "|" + std::string(episode.record()) + "|" +
                         std::string(episode.finish_reason()));
      episode.set_sub_score(
          "tokens", static_cast<double>(episode.prompt_tokens() * 1000 + episode.completion_tokens()));
      episode.set_sub_score("seconds", episode.generation_seconds());
      episode.set_valid(!episode.cut());
    }
  }

  std::string when_, deed_, path_;
  const char* kept_ = nullptr;
  int num_calls_ = 0;
};

RFT_SCORER(Hostile, "hostile", "6.6.6")
