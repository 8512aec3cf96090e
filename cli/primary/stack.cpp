#include "primary/stack.h"

#include <array>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/core.h>

namespace muster::cli {
namespace {

constexpr std::size_t most = 8192;

std::string stack_of(int pid) {
  const std::string command = fmt::format(
      "if command -v eu-stack >/dev/null; then timeout 5 eu-stack -1 -n 32 -p {0}; "
      "elif command -v gdb >/dev/null; then timeout 8 gdb -p {0} -batch -ex 'bt 32'; fi </dev/null 2>/dev/null",
      pid);
  std::string stack;
  std::FILE* pipe = popen(command.c_str(), "re");
  if (!pipe) return stack;
  std::array<char, 1024> line{};
  while (std::fgets(line.data(), line.size(), pipe)) {
    if (line[0] == '#' && stack.size() < most) stack += line.data();
  }
  pclose(pipe);
  return stack;
}

}  // namespace

void take_stack(Loop& loop, int pid, Function<void(std::string)> done) {
  auto stack = std::make_shared<std::string>();
  loop.run_in_thread([stack, pid] { *stack = stack_of(pid); },
                     [stack, done = std::move(done)](std::error_code) mutable { done(std::move(*stack)); });
}

}  // namespace muster::cli
