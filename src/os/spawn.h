// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace muster::os {

// A process to start, in full: nothing else of this process reaches it.
struct SpawnOptions {
  std::string file = {};  // without a slash it is looked for on the PATH of `env`
  std::vector<std::string> argv = {};
  std::vector<std::string> env = {};  // NAME=value
  std::optional<std::string> cwd = {};
  // What the process finds at 0, 1, ...: descriptors of this process, copied. -1 is /dev/null below 3, and nothing above.
  std::vector<int> descriptors = {};
  std::optional<int> uid = {};  // with one of these it has no supplementary groups
  std::optional<int> gid = {};
  bool no_new_privileges = false;
  bool new_session = false;     // out of reach of the terminal
  int parent_death_signal = 0;  // sent to it when the thread that started it ends
};

struct Spawned {
  int pid = 0;
  int error = 0;        // an errno; no process is left of it
  bool of_cwd = false;  // the error is the working folder's, not the file's
};

// Waits until the program runs, or could not be started. Signals are as a shell leaves them: default, and not blocked.
Spawned spawn(const SpawnOptions& options);

// Waits for a child that was killed, and reaps it. False after `patience`: a tracer may keep a child from its parent for ever.
bool reap(int pid, std::chrono::milliseconds patience);

}  // namespace muster::os
