// SPDX-License-Identifier: MIT
// What the examples read from their environment. A value that cannot be is said, with what can, and the program ends with 2.

#pragma once

#include <charconv>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <system_error>

#include <fmt/core.h>
#include <muster/loop.h>

namespace options {

[[noreturn]] inline void refuse(const char* name, std::string_view value, std::string_view accepted) {
  fmt::print(stderr, "{} cannot be \"{}\"; accepted: {}\n", name, value, accepted);
  std::exit(2);
}

inline int number(const char* name, int otherwise, int least, int most, const char* also = "") {
  const char* value = std::getenv(name);
  if (!value) return otherwise;
  const std::string_view text(value);
  int result = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  if (error != std::errc() || end != text.data() + text.size() || result < least || result > most) {
    refuse(name, text, fmt::format("a number from {} to {}{}", least, most, also));
  }
  return result;
}

inline int port() { return number("PORT", 8000, 0, 65535); }

// One for each processor, unless WORKERS says how many.
inline int workers() {
  constexpr int most = 1024;
  const int processors = static_cast<int>(muster::available_parallelism());
  const char* value = std::getenv("WORKERS");
  return value && std::string_view(value) == "max" ? processors : number("WORKERS", processors, 1, most, ", or max");
}

// For main(), of what went wrong and nobody took care of: a port that is taken, say.
inline int fail(const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}

}  // namespace options
