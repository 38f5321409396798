#include "executor/gpus.h"

#include <dlfcn.h>

#include <memory>

namespace rft::executor {
namespace {

// The part of nvml.h that is used here, as the library's ABI fixes it.
using Device = void*;
struct Memory {
  unsigned long long total, free, used;
};
constexpr unsigned kNameBytes = 96;

class Nvml {
 public:
  explicit Nvml(const char* library) : library_(::dlopen(library, RTLD_NOW | RTLD_LOCAL), &close) {
    if (!library_) return;
    init = load<int()>("nvmlInit_v2");
    shutdown = load<int()>("nvmlShutdown");
    count = load<int(unsigned*)>("nvmlDeviceGetCount_v2");
    handle = load<int(unsigned, Device*)>("nvmlDeviceGetHandleByIndex_v2");
    uuid = load<int(Device, char*, unsigned)>("nvmlDeviceGetUUID");
    name = load<int(Device, char*, unsigned)>("nvmlDeviceGetName");
    memory = load<int(Device, Memory*)>("nvmlDeviceGetMemoryInfo");
    error_text = load<const char*(int)>("nvmlErrorString");
  }

  bool usable() const { return init && shutdown && count && handle && uuid && name && memory && error_text; }

  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*handle)(unsigned, Device*) = nullptr;
  int (*uuid)(Device, char*, unsigned) = nullptr;
  int (*name)(Device, char*, unsigned) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;
  const char* (*error_text)(int) = nullptr;

 private:
  static void close(void* library) {
    if (library != nullptr) ::dlclose(library);
  }
  template <class Function>
  Function* load(const char* symbol) const {
    return reinterpret_cast<Function*>(::dlsym(library_.get(), symbol));
  }
  std::unique_ptr<void, void (*)(void*)> library_;
};

Gpu describe(const Nvml& nvml, Device device) {
  Gpu gpu;
  char text[kNameBytes] = {};
  if (nvml.uuid(device, text, sizeof text) == 0) gpu.uuid = text;
  if (nvml.name(device, text, sizeof text) == 0) gpu.name = text;
  Memory memory{};
  if (nvml.memory(device, &memory) == 0) gpu.memory_bytes = memory.total;
  return gpu;
}

}  // namespace

GpuInventory list_gpus(const char* library) {
  const Nvml nvml(library);
  if (!nvml.usable()) return {{}, std::string("no NVIDIA driver: ") + library + " cannot be loaded"};
  if (const int error = nvml.init(); error != 0)
    return {{}, std::string("the NVIDIA driver does not answer: ") + nvml.error_text(error)};
  GpuInventory inventory;
  unsigned num_devices = 0;
  nvml.count(&num_devices);
  for (unsigned index = 0; index < num_devices; ++index) {
    Device device = nullptr;
    if (nvml.handle(index, &device) != 0) continue;  // lost: it fell off the bus
    Gpu gpu = describe(nvml, device);
    if (!gpu.uuid.empty()) inventory.gpus.push_back(std::move(gpu));
  }
  nvml.shutdown();
  if (inventory.gpus.empty()) inventory.absence = "the NVIDIA driver reports no GPU that answers";
  return inventory;
}

}  // namespace rft::executor
