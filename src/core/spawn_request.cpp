// SPDX-License-Identifier: MIT
#include "core/spawn_request.h"

#include <algorithm>
#include <string_view>

#include <muster/error.h>

namespace muster::core {
namespace {

bool is_script(std::string_view file) {
  constexpr std::string_view endings[] = {".js", ".mjs", ".cjs", ".ts"};
  return std::any_of(std::begin(endings), std::end(endings), [file](std::string_view e) { return file.ends_with(e); });
}

Stdio stdio_of(const Settings& settings) {
  using Kind = StdioEntry::Kind;
  if (!settings.stdio) {
    const Kind output = settings.silent.value_or(false) ? Kind::pipe : Kind::inherit;
    return {{output}, {output}, {output}, {Kind::ipc}};
  }
  const auto channels = std::count_if(settings.stdio->begin(), settings.stdio->end(),
                                      [](const StdioEntry& entry) { return entry.kind == Kind::ipc; });
  if (channels == 0) {
    throw Exception(Errc::child_process_ipc_required,
                    "Forked processes must have an IPC channel, missing value 'ipc' in settings.stdio");
  }
  if (channels > 1) throw Exception(Errc::ipc_one_pipe, "Child process can have only one IPC pipe");
  return *settings.stdio;
}

bool is_node(std::string_view interpreter) { return interpreter.substr(interpreter.rfind('/') + 1).starts_with("node"); }

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

void check_text(const std::optional<std::string>& text, const char* name) {
  if (text && has_nul(*text)) {
    throw Exception(Errc::invalid_arg_value, std::string("settings.") + name + " must be a string without NUL");
  }
}

void check_texts(const Settings& settings) {
  check_text(settings.exec, "exec");
  check_text(settings.exec_path, "exec_path");
  check_text(settings.cwd, "cwd");
  for (const std::string& arg : settings.args.value_or(std::vector<std::string>())) check_text(arg, "args");
  for (const std::string& arg : settings.exec_argv.value_or(std::vector<std::string>())) check_text(arg, "exec_argv");
}

void check_env(const Env& env) {
  for (const auto& [name, value] : env) {
    if (name.empty() || name.find('=') != std::string::npos || has_nul(name) || (value && has_nul(*value))) {
      throw Exception(Errc::invalid_arg_value,
                      "The environment variable '" + name + "' must have a name without '=', and no NUL in name or value");
    }
  }
}

}  // namespace

SpawnRequest spawn_request(const Settings& settings, const Env& env, WorkerId worker,
                           const std::optional<Inspection>& inspection) {
  SpawnRequest request;
  request.stdio = stdio_of(settings);
  check_texts(settings);
  check_env(env);
  request.serialization = settings.serialization.value_or(Serialization::json);

  const std::string& exec = settings.exec.value();
  const std::string interpreter = settings.exec_path.value_or(is_script(exec) ? "node" : "");
  if (is_node(interpreter)) request.queue_descriptor = static_cast<int>(request.stdio.size());
  if (!interpreter.empty()) {
    request.argv.push_back(interpreter);
    if (settings.exec_argv) request.argv.insert(request.argv.end(), settings.exec_argv->begin(), settings.exec_argv->end());
    if (inspection) request.argv.push_back("--inspect-port=" + std::to_string(inspection->port));
  } else if (inspection) {
    request.argv = {"gdbserver", "--once", "--no-startup-with-shell",
                    inspection->host + ":" + std::to_string(inspection->port)};
  }
  request.argv.push_back(exec);
  if (settings.args) request.argv.insert(request.argv.end(), settings.args->begin(), settings.args->end());
  request.file = request.argv.front();

  request.env = env;
  request.env["NODE_UNIQUE_ID"] = std::to_string(static_cast<std::uint32_t>(worker));
  request.cwd = settings.cwd;
  if (settings.max_message_size) request.limits.max_message = *settings.max_message_size;
  if (settings.max_message_values) request.limits.max_values = *settings.max_message_values;
  request.limits.skip_large = settings.skip_large_messages.value_or(false);
  if (settings.max_queue_size) request.limits.max_queue = *settings.max_queue_size;
  if (settings.handle_timeout) {
    const auto milliseconds = settings.handle_timeout->count();
    request.limits.acknowledgement_ms = milliseconds > 0 ? static_cast<std::uint64_t>(milliseconds) : 0;
  }
  request.uid = settings.uid;
  request.gid = settings.gid;
  request.no_new_privileges = settings.no_new_privileges.value_or(false);
  request.ends_with_primary = settings.kill_with_primary.value_or(false);
  return request;
}

Settings merged(Settings settings, const Settings& changes) {
  const auto take = [](auto& field, const auto& change) {
    if (change) field = change;
  };
  take(settings.exec, changes.exec);
  take(settings.args, changes.args);
  take(settings.exec_path, changes.exec_path);
  take(settings.exec_argv, changes.exec_argv);
  take(settings.cwd, changes.cwd);
  take(settings.serialization, changes.serialization);
  take(settings.silent, changes.silent);
  take(settings.stdio, changes.stdio);
  take(settings.uid, changes.uid);
  take(settings.gid, changes.gid);
  take(settings.no_new_privileges, changes.no_new_privileges);
  take(settings.kill_with_primary, changes.kill_with_primary);
  take(settings.may_listen, changes.may_listen);
  take(settings.inspect_port, changes.inspect_port);
  take(settings.windows_hide, changes.windows_hide);
  take(settings.max_message_size, changes.max_message_size);
  take(settings.max_message_values, changes.max_message_values);
  take(settings.skip_large_messages, changes.skip_large_messages);
  take(settings.max_queue_size, changes.max_queue_size);
  take(settings.handle_timeout, changes.handle_timeout);
  return settings;
}

}  // namespace muster::core
