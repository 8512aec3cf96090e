// SPDX-License-Identifier: MIT
#include "primary/worker_settings.h"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "config/config.h"
#include "config/listen_url.h"
#include "os/acting_as.h"
#include "primary/users.h"
#include "primary/worker_process.h"

namespace muster::cli {
namespace {

constexpr std::size_t max_message_size = 256 << 10;
constexpr std::size_t max_message_values = 1 << 16;
// What fills it, when a worker does not read, is refusals.
constexpr std::size_t max_queue_size = std::size_t{1} << 20;
constexpr Milliseconds longest_report_interval{1'000};

// Only Node loads the agent.
bool is_node(const std::string& interpreter) {
  const std::string name = interpreter.substr(interpreter.rfind('/') + 1);
  return name.starts_with("node");
}

// Of the programs of that name on this process's PATH, the first that the user may run: it has a PATH of its own.
std::string program_for_user(const AppConfig& config, const std::string& program) {
  if (config.user.empty() || program.empty() || program.find('/') != std::string::npos) return program;
  const os::ActingAs acting(worker_uid(config), worker_gid(config));
  const std::string found = acting.error() == 0 ? find_program(program, own_environment(), config.cwd) : "";
  return found.empty() ? program : found;
}

}  // namespace

bool loads_agent(const AppConfig& config) { return !config.is_plain() && is_node(config.interpreter); }

std::optional<int> worker_uid(const AppConfig& config) { return config.user.empty() ? std::nullopt : user_id(config.user); }
std::optional<int> worker_gid(const AppConfig& config) {
  if (!config.group.empty()) return group_id(config.group);
  return config.user.empty() ? std::nullopt : group_of(config.user);
}

Settings worker_settings(const AppConfig& config, const ListenSockets& sockets, const std::string& agent) {
  using Kind = StdioEntry::Kind;
  Settings settings;
  const std::string app = program_for_user(config, config.app), interpreter = program_for_user(config, config.interpreter);
  settings.cwd = config.cwd;
  settings.exec = app;
  settings.args = config.args;
  settings.exec_path = interpreter;
  settings.exec_argv = config.interpreter_args;
  Stdio stdio{{Kind::ignore}, {Kind::pipe}, {Kind::pipe}};
  if (config.is_plain()) {
    // The program is started by this one, which sets up what has to be set up in its process. The channel, which it does not
    // speak, comes after the sockets and is closed there.
    std::vector<std::string> command;
    if (!interpreter.empty()) {
      command.push_back(interpreter);
      command.insert(command.end(), config.interpreter_args.begin(), config.interpreter_args.end());
    }
    command.push_back(app);
    command.insert(command.end(), config.args.begin(), config.args.end());
    command.insert(command.begin(), {"__exec", std::to_string(getpid()), std::to_string(config.listen.size()), "--"});
    settings.exec = "/proc/self/exe";
    settings.exec_path = "";
    settings.exec_argv.emplace();
    settings.args = std::move(command);
    for (const std::string& url : config.listen) stdio.push_back({Kind::descriptor, sockets.descriptor(url)});
    stdio.push_back({Kind::ipc});
  } else {
    if (!agent.empty()) settings.exec_argv->insert(settings.exec_argv->begin(), {"--require", agent});
    stdio.push_back({Kind::ipc});
    stdio.push_back({Kind::pipe});
  }
  settings.stdio = std::move(stdio);
  // Also where there was another one before.
  settings.uid = static_cast<int>(geteuid());
  settings.gid = static_cast<int>(getegid());
  if (!config.user.empty()) {
    settings.uid = worker_uid(config);
    settings.gid = worker_gid(config);
    if (!settings.uid) throw std::runtime_error(fmt::format("there is no user \"{}\"", config.user));
  }
  if (!config.group.empty()) {
    settings.gid = group_id(config.group);
    if (!settings.gid) throw std::runtime_error(fmt::format("there is no group \"{}\"", config.group));
  }
  settings.may_listen.emplace();
  for (const std::string& text : config.may_listen) {
    if (const auto options = parse_may_listen(text)) settings.may_listen->push_back(*options);
  }
  settings.no_new_privileges = config.no_new_privileges;
  settings.kill_with_primary = true;
  // The command reads `ready` and the cluster's own messages, which are short. It skips the rest.
  settings.max_message_size = max_message_size;
  settings.max_message_values = max_message_values;
  settings.skip_large_messages = true;
  settings.max_queue_size = max_queue_size;
  return settings;
}

Env worker_environment(const AppConfig& config, unsigned seat, unsigned generation, const std::string& notify_socket) {
  Env env = config.user.empty() ? Env() : environment_of(config.user);
  // The service manager is the primary's to talk to.
  env["NOTIFY_SOCKET"] = notify_socket.empty() ? std::nullopt : std::optional(notify_socket);
  for (const char* name : {"WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"})
    env[name] = std::nullopt;
  env["MUSTER_APP"] = config.name;
  env["MUSTER_WORKER"] = std::to_string(seat);
  env["MUSTER_GENERATION"] = std::to_string(generation);
  // PM2's, for programs that do something in one worker only.
  env["NODE_APP_INSTANCE"] = std::to_string(seat - 1);
  if (!config.is_plain()) {
    env["MUSTER_REPORT_FD"] = std::to_string(report_descriptor);
    // Thrice before it is missed.
    const auto often = config.heartbeat / 3;
    env["MUSTER_REPORT_EVERY"] =
        std::to_string(often.count() > 0 ? std::clamp(often, Milliseconds(20), longest_report_interval).count()
                                         : longest_report_interval.count());
    env["MUSTER_DRAIN_TIMEOUT"] = std::to_string(config.drain_timeout.count());
  }
  for (const auto& [name, value] : config.env) env[name] = value;
  return env;
}

}  // namespace muster::cli
