// What rft-plugin-host takes away from itself before the first instruction of a plugin runs; children inherit
// it. See isolation.h for what surrounds it.
#pragma once

#include "plugins/wire.h"

namespace rft::plugins::host {

// Limits (no core files, private memory, processes), no new privileges, and, where the kernel has them, the
// file rules and the system call filter (a trusted plugin has only the part of it that keeps its processes
// together). Denied calls answer EPERM, so that a plugin that tries reports a plain error. Throws Error(io).
void confine(const wire::Open& open);

}  // namespace rft::plugins::host
