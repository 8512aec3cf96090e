// SPDX-License-Identifier: MIT
#include "primary/stack.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <system_error>
#include <utility>

#include <fmt/core.h>

#include "os/fd.h"
#include "os/spawn.h"

namespace muster::cli {
namespace {

constexpr std::size_t most = 8192;
constexpr std::size_t most_output = std::size_t{1} << 20;

// By our own clock: whoever has that user may stop what looks.
constexpr std::chrono::seconds patience(10);

std::string stack_of(int pid, std::optional<int> user, std::optional<int> group) {
  const std::string command = fmt::format(
      "if command -v eu-stack >/dev/null; then timeout 5 eu-stack -1 -n 32 -p {0}; "
      "elif command -v gdb >/dev/null; then timeout 8 gdb -p {0} -batch -ex 'bt 32'; fi </dev/null 2>/dev/null",
      pid);
  std::string stack;
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return stack;
  const OwnedFd ours(ends[0]);
  OwnedFd theirs(ends[1]);
  os::SpawnOptions options;
  options.file = "/bin/sh";
  options.argv = {"sh", "-c", command};
  const char* path = std::getenv("PATH");
  options.env = {std::string("PATH=") + (path ? path : "/usr/local/bin:/usr/bin:/bin")};
  options.descriptors = {-1, theirs.get(), -1};
  // Who looks into a process should not have more rights than it: what lies in its memory is its own.
  options.uid = user;
  options.gid = group;
  options.new_session = true;
  const os::Spawned started = os::spawn(options);
  theirs.reset();
  if (started.error != 0) return stack;
  std::string output;
  std::array<char, 4096> bytes{};
  const auto until = std::chrono::steady_clock::now() + patience;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    pollfd waiting{ours.get(), POLLIN, 0};
    const int found = left > 0 ? poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (found < 0 && errno == EINTR) continue;
    if (found <= 0) break;
    const ssize_t size = read(ours.get(), bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    if (output.size() < most_output) output.append(bytes.data(), static_cast<std::size_t>(size));
  }
  // All of its session, of which it is the first: a process that was stopped as well.
  kill(-started.pid, SIGKILL);
  os::reap(started.pid, std::chrono::seconds(1));
  std::istringstream lines(output);
  for (std::string line; stack.size() < most && std::getline(lines, line);) {
    if (line.starts_with('#')) stack += line + "\n";
  }
  return stack;
}

}  // namespace

void capture_stack(Loop& loop, int pid, std::optional<int> user, std::optional<int> group, Function<void(std::string)> done) {
  auto stack = std::make_shared<std::string>();
  loop.run_in_thread([stack, pid, user, group] { *stack = stack_of(pid, user, group); },
                     [stack, done = std::move(done)](std::error_code) mutable { done(std::move(*stack)); });
}

}  // namespace muster::cli
