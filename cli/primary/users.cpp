// SPDX-License-Identifier: MIT
#include "primary/users.h"

#include <grp.h>
#include <pwd.h>

#include <charconv>

namespace muster::cli {
namespace {

std::optional<int> number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::optional<int> user_id(const std::string& user) {
  if (const auto id = number(user)) return id;
  const passwd* entry = getpwnam(user.c_str());
  return entry ? std::optional<int>(static_cast<int>(entry->pw_uid)) : std::nullopt;
}

std::optional<int> group_id(const std::string& group) {
  if (const auto id = number(group)) return id;
  const ::group* entry = getgrnam(group.c_str());
  return entry ? std::optional<int>(static_cast<int>(entry->gr_gid)) : std::nullopt;
}

namespace {

const passwd* entry_of(const std::string& user) {
  const auto id = number(user);
  return id ? getpwuid(static_cast<uid_t>(*id)) : getpwnam(user.c_str());
}

}  // namespace

std::optional<int> group_of(const std::string& user) {
  const passwd* entry = entry_of(user);
  return entry ? std::optional<int>(static_cast<int>(entry->pw_gid)) : std::nullopt;
}

Env environment_of(const std::string& user) {
  Env env;
  const passwd* entry = entry_of(user);
  env["USER"] = env["LOGNAME"] = entry ? entry->pw_name : user;
  env["HOME"] = entry ? entry->pw_dir : "/";
  env["SHELL"] = entry && *entry->pw_shell ? entry->pw_shell : "/bin/sh";
  env["PATH"] = "/usr/local/bin:/usr/bin:/bin";
  for (const char* name : {"MAIL", "SUDO_COMMAND", "SUDO_GID", "SUDO_UID", "SUDO_USER", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
                           "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"}) {
    env[name] = std::nullopt;
  }
  return env;
}

}  // namespace muster::cli
