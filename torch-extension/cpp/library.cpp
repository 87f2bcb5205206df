// Libraries that are needed on some machines only.

#include <dlfcn.h>

#include "guard.h"

extern "C" char *longshore_open_library(const char *path) {
  // libtorch's CUDA half registers its operators as it is loaded, and is never unloaded.
  if (dlopen(path, RTLD_NOW | RTLD_GLOBAL)) return nullptr;
  const char *why = dlerror();
  return longshore_message(why ? why : "no reason given");
}
