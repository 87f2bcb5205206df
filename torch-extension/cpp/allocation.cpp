// Memory that was freed stays with the process.

#include <cstdlib>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

extern "C" void longshore_keep_freed_memory() {
#if defined(__GLIBC__)
  // Blocks up to the largest threshold there is come from the heap, and the heap does not shrink: pages are asked from the
  // system, and cleared by it, once and not for every tensor. What is larger goes back, so that it never fragments the heap.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
}
