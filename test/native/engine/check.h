// Checks for the native tests: a failure prints what was compared and where, and the program exits
// non-zero at its end.
#pragma once

#include <cstdio>
#include <functional>
#include <iostream>
#include <string>

#include "engine/error.h"

namespace longsight::test {

inline int failures = 0;

inline void Report(bool ok, const char* file, int line, const std::string& text) {
  if (ok) return;
  ++failures;
  std::cerr << file << ":" << line << ": failed: " << text << "\n";
}

// The program's exit status.
inline int Finish(const char* name) {
  std::cerr << name << ": " << (failures == 0 ? "passed" : std::to_string(failures) + " failures")
            << "\n";
  return failures == 0 ? 0 : 1;
}

// Runs `work`, which must throw an Error of `code` whose message holds `part`.
inline void ExpectError(const char* file, int line, ErrorCode code, const std::string& part,
                        const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    Report(error.code() == code, file, line,
           std::string("error code ") + ErrorCodeName(error.code()) + ", expected " +
               ErrorCodeName(code) + " (" + error.what() + ")");
    Report(std::string(error.what()).find(part) != std::string::npos, file, line,
           "the message \"" + std::string(error.what()) + "\" lacks \"" + part + "\"");
    return;
  }
  Report(false, file, line, "no error; expected one with \"" + part + "\"");
}

}  // namespace longsight::test

#define CHECK(condition) ::longsight::test::Report((condition), __FILE__, __LINE__, #condition)
#define CHECK_WITH(condition, text)                          \
  ::longsight::test::Report((condition), __FILE__, __LINE__, \
                            std::string(#condition) + ": " + (text))
#define CHECK_ERROR(code, part, work) \
  ::longsight::test::ExpectError(__FILE__, __LINE__, (code), (part), (work))
