// Counts the bytes of every tensor on the CPU, so that a test can say what a computation holds at its peak.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>

namespace rft::engine {

class AllocationMeter : public c10::Allocator {
 public:
  // The one of this process; counting begins with the first call.
  static AllocationMeter& get() {
    static AllocationMeter meter;
    return meter;
  }

  // From here on; tensors that are older do not count.
  void restart() {
    const std::lock_guard lock(mutex_);
    now_ = peak_ = 0;
  }
  // Forgets the peak, not what is held.
  void restart_peak() {
    const std::lock_guard lock(mutex_);
    peak_ = now_;
  }
  int64_t now() const { return now_; }
  int64_t peak() const { return peak_; }

  c10::DataPtr allocate(size_t size) override {
    void* const data = c10::alloc_cpu(size);
    const std::lock_guard lock(mutex_);
    sizes_[data] = static_cast<int64_t>(size);
    now_ += static_cast<int64_t>(size);
    peak_ = std::max(peak_, now_);
    return {data, data, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t size) const override {
    default_copy_data(to, from, size);
  }

 private:
  AllocationMeter() { c10::SetCPUAllocator(this, /*priority=*/100); }

  static void release(void* data) {
    AllocationMeter& meter = get();
    {
      const std::lock_guard lock(meter.mutex_);
      const auto found = meter.sizes_.find(data);
      if (found != meter.sizes_.end()) {
        meter.now_ -= found->second;
        meter.sizes_.erase(found);
      }
    }
    c10::free_cpu(data);
  }

  std::mutex mutex_;
  std::map<void*, int64_t> sizes_;
  int64_t now_ = 0, peak_ = 0;
};

}  // namespace rft::engine
