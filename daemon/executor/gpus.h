// The GPUs of this machine, as NVIDIA's management library reports them. The library belongs to the driver
// and is loaded when it is asked, so that the daemon runs as well where there is none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rft::executor {

struct Gpu {
  std::string uuid;  // "GPU-…", stable across reboots and reordering; what CUDA_VISIBLE_DEVICES takes
  std::string name;
  uint64_t memory_bytes = 0;
};

struct GpuInventory {
  std::vector<Gpu> gpus;
  std::string absence;  // why there are none, for people; empty when there are some
};

// `library` is opened by its name as dlopen finds it. Takes some 10 ms; never throws.
GpuInventory list_gpus(const char* library = "libnvidia-ml.so.1");

}  // namespace rft::executor
