#include "start_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "json_text.h"

extern char** environ;

namespace muster::cli {
namespace {

// Above all that the new process is to find in its place.
constexpr int high = 64;

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

StartedProcess start_primary(const std::string& program, const std::string& name, const nlohmann::json& order,
                             const std::vector<int>& descriptors, const std::string& log) {
  // A variable may hold what bytes it likes.
  const std::string text = json_text(order);
  const int memory = memfd_create("muster", MFD_CLOEXEC);
  int pair[2] = {-1, -1};
  if (memory < 0 || write(memory, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(memory, 0, SEEK_SET) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    const std::string why = std::strerror(errno);
    if (memory >= 0) close(memory);
    return {0, -1, why};
  }
  std::vector<int> given{memory, pair[1]};
  given.insert(given.end(), descriptors.begin(), descriptors.end());
  // Where the next one is to be may be where this one is.
  std::vector<int> copies;
  copies.reserve(given.size());
  for (const int fd : given) copies.push_back(fcntl(fd, F_DUPFD_CLOEXEC, high));

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  if (!log.empty()) {
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  }
  for (std::size_t i = 0; i < copies.size(); ++i) {
    posix_spawn_file_actions_adddup2(&actions, copies[i], child::order + static_cast<int>(i));
  }
  std::string words[] = {"muster", "__primary", name};
  char* argv[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, program.c_str(), &actions, &attributes, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  for (const int fd : copies) close(fd);
  close(memory);
  close(pair[1]);
  if (error != 0) {
    close(pair[0]);
    return {0, -1, fmt::format("cannot run {}: {}", program, std::strerror(error))};
  }
  return {pid, pair[0], {}};
}

}  // namespace muster::cli
