// Binding a ZeroMQ socket to a path that only the daemon's user may open, from its first moment.
#pragma once

#include <filesystem>
#include <zmq.hpp>

namespace rft::control {

// How long what was sent last may take to leave when the daemon ends.
constexpr int kLingerMs = 200;

// A socket file that an earlier daemon left is replaced: the caller holds the home's lock. Throws Error(io),
// also for a path longer than a Unix socket can have.
void bind_private(zmq::socket_t& socket, const std::filesystem::path& path);

}  // namespace rft::control
