// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <muster/settings.h>
#include "core/channel_limits.h"
#include "core/ids.h"
#include "core/inspection.h"

namespace muster::core {

// A process to start, in full.
struct SpawnRequest {
  std::string file;
  std::vector<std::string> argv;  // argv[0] included
  Env env;                        // on top of this process's own
  std::optional<std::string> cwd;
  // In place of this process's environment and `env`: NAME=value each.
  std::optional<std::vector<std::string>> whole_env;
  Stdio stdio;  // with exactly one ipc entry
  // The process's descriptor of its queue of connections (wire::Queue). Only Node has one, and uses it where it was told how.
  std::optional<int> queue_descriptor;
  Serialization serialization = Serialization::json;
  ChannelLimits limits;
  std::optional<int> uid, gid;
  bool no_new_privileges = false;
  bool ends_with_primary = false;
};

// What `settings`, complete, and the environment given to fork() say a worker is. Throws Exception
// for settings that contradict themselves, with Node's code.
//
// A worker to be inspected gets `--inspect-port` where an interpreter runs it; a program of its own runs under gdbserver(1),
// which starts it when a debugger says so.
SpawnRequest spawn_request(const Settings& settings, const Env& env, WorkerId worker,
                           const std::optional<Inspection>& inspection = {});

// `settings` with every field of `changes` that is set.
Settings merged(Settings settings, const Settings& changes);

}  // namespace muster::core
