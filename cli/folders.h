// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace muster::cli {

// Where the primaries of this user are found, and their state files.
//
//   $XDG_RUNTIME_DIR/muster/  NAME.sock NAME.lock   of an app that runs
//   $XDG_STATE_HOME/muster/   NAME.json NAME.log    of an app that was ever started, until `delete`; saved.json
//
// Without XDG_RUNTIME_DIR: /run/muster for root, /tmp/muster-UID for anybody else. Without XDG_STATE_HOME: ~/.local/state.
struct Folders {
  std::string runtime = {};
  std::string state = {};

  std::string socket(const std::string& app) const { return runtime + "/" + app + ".sock"; }
  std::string lock(const std::string& app) const { return runtime + "/" + app + ".lock"; }
  std::string state_file(const std::string& app) const { return state + "/" + app + ".json"; }
  std::string log(const std::string& app) const { return state + "/" + app + ".log"; }
  std::string saved() const { return state + "/saved.list"; }
};

// Makes them, for this user only. Throws std::runtime_error that says which cannot be, and why: also when one belongs to
// somebody else or others may write to it.
Folders make_folders();

// The apps that have a socket there, and those that are remembered.
std::vector<std::string> running_apps(const Folders& folders);
std::vector<std::string> saved_apps(const Folders& folders);

// Replaces the file at once, or leaves it. Only in a folder that nobody else can write to. Throws std::runtime_error.
void write_file(const std::string& path, const std::string& text);
// Null when there is none, or it is not JSON.
nlohmann::json read_json(const std::string& path);

}  // namespace muster::cli
