// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "json_text.h"
#include "primary/init.h"
#include "primary/order.h"
#include "primary/primary.h"
#include "say.h"
#include "start_process.h"

namespace muster::cli {
namespace {

// __exec PRIMARY COUNT -- PROGRAM ARGS...: systemd's contract for sockets, which has the process's own number in it.
int exec_worker(int argc, char** argv) {
  if (argc < 6) return exit_usage;
  if (const char* channel = std::getenv("NODE_CHANNEL_FD")) close(std::atoi(channel));
  for (const char* name : {"NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID"}) unsetenv(name);
  setenv("LISTEN_FDS", argv[3], 1);
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  // The primary may have died by now.
  if (getppid() != std::atoi(argv[2])) return exit_failure;
  execvp(argv[5], argv + 5);
  const int error = errno;
  say_error(fmt::format("cannot run {}: {}", argv[5], std::strerror(error)));
  return error == ENOENT ? 127 : 126;
}

std::string read_all(int fd) {
  std::string text;
  char bytes[4096];
  for (ssize_t size = 0; (size = read(fd, bytes, sizeof bytes)) > 0;) text.append(bytes, static_cast<std::size_t>(size));
  return text;
}

// __primary NAME.
int start_as_told() {
  for (const int fd : {child::order, child::line}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  const auto text = parse_json(read_all(child::order));
  close(child::order);
  if (!text.is_object()) {
    say_error("`__primary` is not for people: use `muster start`");
    return exit_usage;
  }
  Order order = parse_order(text, child::first_socket);
  order.line = child::line;
  const auto fail = [](const std::string& why) {
    const std::string line = json_text({{"error", why}}) + "\n";
    if (write(child::line, line.data(), line.size()) < 0) return exit_failure;
    return exit_failure;
  };
  // Its environment is that of the first start, however it came to be started again.
  const bool is_child_of_init = init::is_parent();
  clearenv();
  for (const auto& [variable, value] : order.sources.environment) setenv(variable.c_str(), value.c_str(), 1);
  // Those are for who started it, if for anybody.
  if (order.background) {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"}) unsetenv(name);
  }
  if (is_child_of_init) init::set_parent();
  // It was for the predecessor, whose place is ours.
  if (order.takes_over) unsetenv("WATCHDOG_PID");
  const Resolved resolved = resolve(order.sources);
  if (!resolved.ok()) return fail(report(resolved));
  const auto app = std::find_if(resolved.apps.begin(), resolved.apps.end(),
                                [&order](const ResolvedApp& candidate) { return candidate.config.name == order.name; });
  if (app == resolved.apps.end()) return fail(fmt::format("there is no app \"{}\" any more", order.name));
  AppConfig config = app->config;
  if (order.workers) config.workers = *order.workers;
  return Primary(std::move(order), std::move(config)).run();
}

}  // namespace

std::optional<int> run_hidden(int argc, char** argv) {
  if (argc < 2) return std::nullopt;
  const std::string_view word = argv[1];
  if (word == "__exec") return exec_worker(argc, argv);
  if (word == "__primary") return start_as_told();
  return std::nullopt;
}

}  // namespace muster::cli
