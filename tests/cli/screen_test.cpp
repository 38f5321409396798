// The screen in a terminal of its own.
#include "cli/screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace rft::cli {
namespace {

using ::testing::HasSubstr;

class Terminal {
 public:
  // Runs a program that shows the window's width until it is told to end.
  Terminal() : pid_(::forkpty(&master_, nullptr, nullptr, nullptr)) {
    if (pid_ != 0) return;
    ::alarm(30);
    Screen screen;
    for (;;) {
      screen.draw({"width " + std::to_string(screen.width()) + "."});
      pollfd input{screen.descriptor(), POLLIN, 0};
      ::poll(&input, 1, -1);
      screen.take_input();
    }
  }
  ~Terminal() { ::close(master_); }

  void resize(unsigned short columns) {
    winsize size{};
    size.ws_row = 10, size.ws_col = columns;
    ::ioctl(master_, TIOCSWINSZ, &size);
  }
  void type(char key) { ASSERT_EQ(::write(master_, &key, 1), 1); }
  bool reads_lines() const {
    termios mode{};
    return ::tcgetattr(master_, &mode) == 0 && (mode.c_lflag & ICANON) != 0;
  }
  // What is written until `text` is, or to the end.
  std::string read_until(const std::string& text) {
    std::string output;
    std::array<char, 1024> bytes;
    while (output.find(text) == std::string::npos) {
      const ssize_t got = ::read(master_, bytes.data(), bytes.size());
      if (got <= 0) break;
      output.append(bytes.data(), static_cast<size_t>(got));
    }
    return output;
  }
  int signal_of_its_end() const {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }

 private:
  int master_ = -1;
  pid_t pid_;
};

TEST(Screen, IsDrawnAnewWhenTheWindowChanges) {
  Terminal terminal;
  terminal.read_until("width 80.");
  terminal.resize(30);
  EXPECT_THAT(terminal.read_until("width 30."), HasSubstr("width 30."));
  terminal.type('q');
  terminal.signal_of_its_end();
}

TEST(Screen, LeavesTheTerminalAsItWasWithWhatItShowedLast) {
  for (const char key : {'q', '\003'}) {
    Terminal terminal;
    terminal.read_until("width 80.");
    EXPECT_FALSE(terminal.reads_lines());
    terminal.type('x');
    terminal.type(key);
    EXPECT_THAT(terminal.read_until("\033[?1049l") + terminal.read_until("nothing more"),
                HasSubstr("\033[?1049lwidth 80."));
    EXPECT_EQ(terminal.signal_of_its_end(), SIGINT);
    EXPECT_TRUE(terminal.reads_lines());
  }
}

}  // namespace
}  // namespace rft::cli
