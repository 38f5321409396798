// The terminal while a picture is redrawn in it. It is drawn on the terminal's other screen, so that a window
// that changes its size leaves nothing behind; what was drawn last is printed on the usual one at the end.
// Keys are taken as they are pressed. The signals that end or stop a program are blocked meanwhile and taken
// here, so that the terminal is left as it was found. Not thread-safe; one at a time.
#pragma once

#include <termios.h>

#include <csignal>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace rft::cli {

class Screen {
 public:
  Screen();  // throws Error(io)
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Readable when there is something for take_input.
  int descriptor() const { return input_.get(); }
  // Takes keys and signals; q, as Ctrl-C, ends the program. Answers whether the picture is to be drawn anew.
  bool take_input();

  int width() const;  // columns
  // Lines beyond the window's height are left out; none may be wider than it.
  void draw(const std::vector<std::string>& lines);

 private:
  void enter();
  void leave();
  void take_keys();
  void take_signal();
  [[noreturn]] void end_by(int signal);

  sigset_t signals_before_{};
  UniqueFd signals_;
  UniqueFd input_;  // waits for the signals and, where there is a keyboard, for its keys
  termios keyboard_before_{};
  bool has_keyboard_ = false;
  std::vector<std::string> lines_;
};

}  // namespace rft::cli
