// Intel's MKL, which LibTorch multiplies matrices with, asks this function of its own whether the processor
// is an Intel one, and takes a path half as fast (and 3 to 5 times slower at a few rows) if it is not,
// AVX-512 or no. A definition in the executable itself comes before MKL's. In a static library it would never
// be linked in, so CMake compiles this file into each program; tests/engine/model asks whose symbol is in
// force.
extern "C" __attribute__((visibility("default"))) int mkl_serv_intel_cpu_true();
extern "C" int mkl_serv_intel_cpu_true() { return 1; }
