// Binding a ZeroMQ socket to a path that only those may open who are meant to, from its first moment.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <zmq.hpp>

namespace rft::control {

// How long what was sent last may take to leave when the daemon ends.
constexpr int kLingerMs = 200;

// Who may drop folders may use the sockets: the daemon's user (0600), and its group where `incoming` is that
// group's to write to (0660).
mode_t socket_mode(const std::filesystem::path& incoming);

// A socket file that an earlier daemon left is replaced: the caller holds the home's lock. Throws Error(io),
// also for a path longer than a Unix socket can have.
void bind_socket(zmq::socket_t& socket, const std::filesystem::path& path, mode_t mode);

}  // namespace rft::control
