// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "folders.h"
#include "status.h"

// What stays of an app in its state file, from its first start until `delete`: from what it is started, and how it was.
namespace muster::cli {

struct SavedState {
  std::string name = {};
  Sources sources = {};
  bool running = false;  // when this was written
  std::string log = {};
  AppStatus status = {};
};

// Throws std::runtime_error.
void save_state(const Folders& folders, const SavedState& state);

bool has_saved_state(const Folders& folders, const std::string& app);
// As that of one that runs no more. A file that cannot be read is a failed app; nothing where there is none.
std::optional<AppStatus> saved_status(const Folders& folders, const std::string& app);
// Throws std::runtime_error that says what is wrong with the file.
Sources saved_sources(const Folders& folders, const std::string& app);
// Where it logged; nothing where that cannot be read.
std::optional<std::string> saved_log(const Folders& folders, const std::string& app);

// The status in what a primary answers, or its state file has; nothing when it is none.
std::optional<AppStatus> read_status(const nlohmann::json& object);

}  // namespace muster::cli
