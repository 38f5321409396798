// A pipe, both of whose ends close on exec.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unique_fd.h"

namespace rft {

struct Pipe {
  UniqueFd read, write;

  // Throws Error(io).
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("cannot make a pipe");
    read = UniqueFd(ends[0]);
    write = UniqueFd(ends[1]);
  }
};

}  // namespace rft
