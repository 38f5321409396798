#include "engine/runtime.h"

#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/util/Exception.h>
#include <dlfcn.h>
#include <malloc.h>

#include "base/error.h"

namespace rft::engine {
namespace {

// A program linked with libtorch_cpu alone learns of CUDA by loading the other half, which registers itself.
// Its symbols are global because libraries that it loads later look for them.
void load_cuda() {
  if (::dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr)
    throw Error(ErrorCode::resource, std::string("cannot load LibTorch's CUDA libraries: ") + ::dlerror() +
                                         "; run scripts/bootstrap --cuda");
  try {
    at::detail::getCUDAHooks().init();
  } catch (const c10::Error& error) {
    throw Error(ErrorCode::resource, std::string("no usable GPU: ") + error.what_without_backtrace());
  }
}

}  // namespace

void set_num_threads(int64_t num_threads) {
  if (num_threads > 0) at::set_num_threads(static_cast<int>(num_threads));
}

void reuse_freed_memory() {
  // Activations come and go with every minibatch: given back to the system, each comes again as page faults.
  // What is larger (weights, moments) is mapped by itself and given back.
  ::mallopt(M_MMAP_THRESHOLD, 64 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

DecoderOptions decoder_options(const std::string& device, const std::string& dtype) {
  DecoderOptions options;
  if (device == "cuda") {
    load_cuda();
    options.device = at::Device(at::kCUDA, 0);
  } else if (device != "cpu") {
    throw Error(ErrorCode::invalid_argument, "unknown device \"" + device + "\"; there are cpu and cuda");
  }
  if (dtype == "auto")
    options.compute_dtype = fast_compute_dtype(options.device);
  else if (dtype == "bfloat16")
    options.compute_dtype = at::kBFloat16;
  else if (dtype != "float32")
    throw Error(ErrorCode::invalid_argument,
                "unknown dtype \"" + dtype + "\"; there are auto, float32 and bfloat16");
  return options;
}

}  // namespace rft::engine
