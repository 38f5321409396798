#include "cli/screen.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "base/error.h"

namespace rft::cli {
namespace {

// The other screen, without a cursor; a line that is too wide is not to wrap.
constexpr const char* kEnter = "\033[?1049h\033[?25l\033[?7l";
constexpr const char* kLeave = "\033[?7h\033[?25h\033[?1049l";

winsize window() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    size.ws_row = 24, size.ws_col = 80;
  return size;
}

void wait_also_for(int fd, const UniqueFd& input) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(input.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw_errno("cannot wait for keys");
}

}  // namespace

Screen::Screen() {
  sigset_t taken;
  ::sigemptyset(&taken);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH}) ::sigaddset(&taken, signal);
  signals_ = UniqueFd(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  input_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!signals_ || !input_) throw_errno("cannot wait for keys");
  wait_also_for(signals_.get(), input_);
  has_keyboard_ = ::tcgetattr(STDIN_FILENO, &keyboard_before_) == 0;
  if (has_keyboard_) wait_also_for(STDIN_FILENO, input_);
  ::pthread_sigmask(SIG_BLOCK, &taken, &signals_before_);
  enter();
}

Screen::~Screen() {
  leave();
  ::pthread_sigmask(SIG_SETMASK, &signals_before_, nullptr);
}

void Screen::enter() {
  if (has_keyboard_) {
    termios keys = keyboard_before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &keys);
  }
  std::cout << kEnter << std::flush;
}

void Screen::leave() {
  std::cout << kLeave;
  for (const std::string& line : lines_) std::cout << line << "\n";
  std::cout << std::flush;
  if (has_keyboard_) ::tcsetattr(STDIN_FILENO, TCSANOW, &keyboard_before_);
}

bool Screen::take_input() {
  std::array<epoll_event, 2> events;
  const int num_ready = ::epoll_wait(input_.get(), events.data(), events.size(), 0);
  for (int i = 0; i < num_ready; ++i)
    events[static_cast<size_t>(i)].data.fd == STDIN_FILENO ? take_keys() : take_signal();
  return num_ready > 0;
}

void Screen::take_keys() {
  std::array<char, 64> keys;
  const ssize_t got = ::read(STDIN_FILENO, keys.data(), keys.size());
  if (got <= 0) {  // it was hung up
    ::epoll_ctl(input_.get(), EPOLL_CTL_DEL, STDIN_FILENO, nullptr);
    return;
  }
  if (std::count(keys.begin(), keys.begin() + got, 'q') > 0) end_by(SIGINT);
}

void Screen::take_signal() {
  signalfd_siginfo signal{};
  if (::read(signals_.get(), &signal, sizeof signal) != sizeof signal) return;
  if (signal.ssi_signo == SIGWINCH) return;  // it is drawn anew
  if (signal.ssi_signo != SIGTSTP) end_by(static_cast<int>(signal.ssi_signo));
  leave();
  ::raise(SIGSTOP);
  enter();
}

// As the signal ends a program that does not take it, so that a shell sees what it knows.
void Screen::end_by(int signal) {
  leave();
  ::signal(signal, SIG_DFL);
  ::pthread_sigmask(SIG_SETMASK, &signals_before_, nullptr);
  ::raise(signal);
  ::_exit(128 + signal);
}

int Screen::width() const { return window().ws_col; }

void Screen::draw(const std::vector<std::string>& lines) {
  const size_t height = window().ws_row;
  lines_ = lines;
  std::string text = "\033[H";
  for (size_t i = 0; i < std::min(lines.size(), height); ++i)
    text += (i > 0 ? "\r\n\033[K" : "\033[K") + lines[i];
  if (lines.size() < height) text += "\r\n\033[J";
  std::cout << text << std::flush;
}

}  // namespace rft::cli
