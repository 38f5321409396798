// The memory that the kernel lets this process have, has given it, and has killed for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace rft {

// The machine's memory, or the lowest limit among this process's cgroup and those around it. `root` is where
// /proc and /sys are: another one in tests.
int64_t memory_limit_bytes(const std::filesystem::path& root = "/");

// The most that this process has held resident.
int64_t peak_memory_bytes();

// From now on an allocation that would take this process beyond so many bytes fails, instead of bringing the
// kernel to kill somebody.
void limit_memory(int64_t bytes);

// How often the kernel has killed for lack of memory. What the cgroup counts was ours; what the machine
// counts may have been anybody's. Empty where the kernel does not say.
struct OutOfMemoryKills {
  std::optional<int64_t> of_cgroup, of_machine;
};
OutOfMemoryKills count_out_of_memory_kills(const std::filesystem::path& root = "/");

// "3.1 GB" (10^9 bytes), below that "12 MB".
std::string memory_text(int64_t bytes);

}  // namespace rft
