// SPDX-License-Identifier: MIT
#include "start_process.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "json_text.h"
#include "os/fd.h"
#include "os/spawn.h"

extern char** environ;

namespace muster::cli {
namespace {

// What the new primary is to be, to be read from the start.
OwnedFd file_of(const std::string& text) {
  OwnedFd memory(memfd_create("muster", MFD_CLOEXEC));
  if (!memory) return {};
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t size = write(memory.get(), left.data(), left.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return {};
    left.remove_prefix(static_cast<std::size_t>(size));
  }
  return lseek(memory.get(), 0, SEEK_SET) == 0 ? std::move(memory) : OwnedFd();
}

}  // namespace

std::string own_program() {
  std::error_code none;
  std::string running = std::filesystem::read_symlink("/proc/self/exe", none).string();
  constexpr std::string_view gone = " (deleted)";
  if (running.ends_with(gone)) running.erase(running.size() - gone.size());
  // The name it was started by may be a link, which leads to another release by then; the file itself may be moved away.
  const auto* name = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  if (!name || !std::filesystem::equivalent(name, "/proc/self/exe", none)) return running;
  const std::string path = std::filesystem::absolute(name, none).string();
  return path.starts_with("/proc/") ? running : path;
}

StartedProcess start_primary(const std::string& program, const Order& order, const std::string& log) {
  const auto fail = [] { return StartedProcess{0, -1, std::strerror(errno)}; };
  const auto [json, descriptors] = serialize(order);
  const OwnedFd memory = file_of(json_text(json));
  if (!memory) return fail();
  std::array<int, 2> pair{-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return fail();
  OwnedFd ours(pair[0]);
  const OwnedFd theirs(pair[1]);
  OwnedFd output;
  os::SpawnOptions options;
  options.file = program;
  options.argv = {"muster", "__primary", order.name};
  for (char** variable = environ; *variable; ++variable) options.env.emplace_back(*variable);
  options.descriptors = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  if (!log.empty()) {
    output = OwnedFd(open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!output) return {0, -1, fmt::format("cannot open {}: {}", log, std::strerror(errno))};
    options.descriptors = {-1, output.get(), output.get()};
    options.new_session = true;
  }
  options.descriptors.insert(options.descriptors.end(), {memory.get(), theirs.get()});
  options.descriptors.insert(options.descriptors.end(), descriptors.begin(), descriptors.end());
  const os::Spawned spawned = os::spawn(options);
  if (spawned.error != 0) return {0, -1, fmt::format("cannot run {}: {}", program, std::strerror(spawned.error))};
  return {spawned.pid, ours.release(), {}};
}

}  // namespace muster::cli
