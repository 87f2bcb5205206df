// Chooses the kernels for this processor, once. LONGSHORE_KERNELS names an older instruction set than the best.

#include <cstdlib>
#include <cstring>

#include "kernels.h"

extern const longshore::Kernels longshore_kernels_baseline;
#if defined(__x86_64__)
extern const longshore::Kernels longshore_kernels_avx2;
extern const longshore::Kernels longshore_kernels_avx512;
#endif

namespace {

bool may_use(const char *instruction_set) {
  const char *asked = std::getenv("LONGSHORE_KERNELS");
  return !asked || !*asked || strcmp(asked, instruction_set) == 0;
}

const longshore::Kernels &best() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (may_use("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return longshore_kernels_avx512;
  if (may_use("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return longshore_kernels_avx2;
#endif
  return longshore_kernels_baseline;
}

}  // namespace

const longshore::Kernels &longshore::kernels() {
  static const Kernels &chosen = best();
  return chosen;
}
