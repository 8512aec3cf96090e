// SPDX-License-Identifier: MIT
#include "say.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

#include "show/printable.h"
#include "terminal_write.h"

namespace muster::cli {
namespace {

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
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

bool has_lost_output() { return std::ferror(stdout) != 0; }

void print_lines(std::string_view text) {
  if (isatty(STDOUT_FILENO)) return print(printable_lines(text));
  print(text);
}

void say_error(std::string_view text) {
  const TerminalWrite in_background;
  const std::string lines = "muster: " + printable_lines(text);
  std::string_view rest = lines;
  while (!rest.empty()) {
    const ssize_t written = write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace muster::cli
