// What every function that Rust calls has in common: no exception leaves it. It returns null, or the message of what was
// thrown as a string that `longshore_free_message` takes back.
#pragma once

#include <cstdlib>
#include <cstring>
#include <exception>

inline char *longshore_message(const char *text) {
  char *copy = strdup(text);
  return copy ? copy : strdup("out of memory");
}

template <typename Body>
char *guarded(Body &&body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception &error) {
    return longshore_message(error.what());
  } catch (...) {
    return longshore_message("an exception that is no std::exception");
  }
}
