// Which of the kernels this CPU has: compiled for any CPU, and without LibTorch, because the estimate of a
// job's memory depends on it too.
#include "engine/model/kernels.h"

namespace rft::engine::kernels {

bool available_f32() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma");
}

bool available_bf16() { return available_f32() && __builtin_cpu_supports("avx512bf16"); }

bool fast_bf16() {
  return available_bf16() && (__builtin_cpu_is("amd") || __builtin_cpu_supports("amx-bf16"));
}

}  // namespace rft::engine::kernels
