// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <muster/settings.h>

#include "config/app_config.h"
#include "primary/listen_sockets.h"

// How the workers of an app are started.
namespace muster::cli {

// Whether Node runs them, which alone loads the agent.
bool loads_agent(const AppConfig& config);

// The user and group of workers; empty when they are this process's.
std::optional<int> worker_uid(const AppConfig& config);
std::optional<int> worker_gid(const AppConfig& config);

// Throws std::runtime_error when there is no such user or group. `agent`: the file that they load; empty: none.
Settings worker_settings(const AppConfig& config, const ListenSockets& sockets, const std::string& agent);
// What the environment of one has beside that of this process. `notify_socket`: where it says READY=1; empty: nowhere.
Env worker_environment(const AppConfig& config, unsigned seat, unsigned generation, const std::string& notify_socket);

}  // namespace muster::cli
