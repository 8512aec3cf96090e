// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "folders.h"
#include "status.h"

// The state file of an app: its sources and its last status. It exists from the first start until `delete`.
namespace muster::cli {

struct SavedState {
  std::string name = {};
  Sources sources = {};
  bool running = false;  // at the time of writing
  std::string log = {};
  AppStatus status = {};
};

// Throws std::runtime_error.
void save_state(const Folders& folders, const SavedState& state);

bool has_saved_state(const Folders& folders, const std::string& app);
// The status of an app that is not running: `failed` when its file cannot be read, nothing when it has none.
std::optional<AppStatus> saved_status(const Folders& folders, const std::string& app);
// Throws std::runtime_error when the file cannot be read.
Sources saved_sources(const Folders& folders, const std::string& app);
// The log file; nothing when the state file cannot be read.
std::optional<std::string> saved_log(const Folders& folders, const std::string& app);

// The status in a primary's answer or a state file; nothing when there is none.
std::optional<AppStatus> read_status(const nlohmann::json& object);

}  // namespace muster::cli
