// The host's side of the connection: one plugin, one request at a time, until the other side closes.
#pragma once

namespace rft::plugins::host {

// Answers the requests on `socket`. The result is the process's exit code.
int serve(int socket);

}  // namespace rft::plugins::host
