// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <muster/settings.h>

#include "config/app_config.h"
#include "primary/listen_sockets.h"

// How the workers of an app are started.
namespace muster::cli {

// Whether the workers load the agent: Node does.
bool loads_agent(const AppConfig& config);

// The user and group of the workers; empty when they are this process's.
std::optional<int> worker_uid(const AppConfig& config);
std::optional<int> worker_gid(const AppConfig& config);

// Throws std::runtime_error for an unknown user or group. `agent`: the file that workers load, or empty.
Settings worker_settings(const AppConfig& config, const ListenSockets& sockets, const std::string& agent);
// What a worker's environment has beyond this process's. `notify_socket`: where it sends READY=1, or empty.
Env worker_environment(const AppConfig& config, unsigned seat, unsigned generation, const std::string& notify_socket);

}  // namespace muster::cli
