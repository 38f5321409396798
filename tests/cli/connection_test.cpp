#include "cli/connection.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace rft::cli {
namespace {

// Each can have the address of the one before, which libzmq ends in a thread of its own.
TEST(Connection, CanFollowAnotherAtOnce) {
  const TempDir folder;
  zmq::context_t zmq;
  for (int i = 0; i < 300; ++i) Connection(zmq, zmq::socket_type::dealer, folder / "nobody.sock");
}

}  // namespace
}  // namespace rft::cli
