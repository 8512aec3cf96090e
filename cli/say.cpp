// SPDX-License-Identifier: MIT
#include "say.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include <fmt/core.h>

#include "show/printable.h"

namespace muster::cli {
namespace {

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string printable_lines(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines += printable(text.substr(0, end)) + "\n";
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace

void print(std::string_view text) {
  if (!write_all(STDOUT_FILENO, text)) {
    throw std::runtime_error(fmt::format("cannot write to standard output: {}", std::strerror(errno)));
  }
}

void print_lines(std::string_view text) {
  if (isatty(STDOUT_FILENO)) return print(printable_lines(text));
  print(text);
}

void say_error(std::string_view text) { write_all(STDERR_FILENO, "muster: " + printable_lines(text)); }

}  // namespace muster::cli
