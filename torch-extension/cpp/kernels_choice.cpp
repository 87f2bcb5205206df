// Chooses the kernels for this processor, once.

#include "kernels.h"

extern const longshore::Kernels longshore_kernels_baseline;
#if defined(__x86_64__)
extern const longshore::Kernels longshore_kernels_avx2;
extern const longshore::Kernels longshore_kernels_avx512;
#endif

namespace {

const longshore::Kernels &best() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return longshore_kernels_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return longshore_kernels_avx2;
#endif
  return longshore_kernels_baseline;
}

}  // namespace

const longshore::Kernels &longshore::kernels() {
  static const Kernels &chosen = best();
  return chosen;
}
