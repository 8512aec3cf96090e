// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <muster/exit_status.h>

// The words of muster::Supervisor and Cluster::reload().
namespace muster {

// Why a worker ended, or is to.
enum class EndCause : std::uint8_t {
  crashed,      // by itself, with an exit code or a signal that tells of a failure
  exited,       // by itself, with 0
  never_ready,  // before it was ready, by itself or because that took too long
  not_started,  // there never was a process
  memory,       // over its limit; these four are replaced before they go, or killed
  requests,
  age,
  hung,
  reload,
  restart,
  scale,
  stop,
};
// "crashed", "never became ready", ...
std::string_view to_string(EndCause cause);

enum class WorkerPhase : std::uint8_t {
  starting,
  ready,
  draining,     // it gets no more to do, finishes what it has and ends
  terminating,  // it was sent SIGTERM
  killing,      // it was sent SIGKILL
};

// In the first three it starts workers.
enum class SupervisorState : std::uint8_t {
  starting,  // none was ready yet
  running,
  reloading,
  stopping,
  stopped,
  failed,  // too many restarts; what still runs is ended
};
std::string_view to_string(SupervisorState state);

// How well it runs, beside what it does.
enum class Health : std::uint8_t {
  well,
  degraded,    // a seat has no ready worker
  crash_loop,  // the worker of a seat failed three times in a row, and none has lasted since
};
// "well", "degraded", "crash loop".
std::string_view to_string(Health health);

// "exit code 1", "signal SIGKILL".
std::string exit_text(const ExitStatus& status);
// "30 s", "1500 ms".
std::string seconds_text(std::uint64_t milliseconds);

// Of Cluster::reload().
struct ReloadOptions {
  // How many workers are replaced at a time.
  unsigned parallel = 1;
  // How long a new worker may take to be ready; then the reload is abandoned. Empty: any time.
  std::optional<std::chrono::milliseconds> ready_timeout = std::chrono::milliseconds(30'000);
  // How long an old one may take to finish what it has; then it gets SIGTERM.
  std::chrono::milliseconds drain_timeout{30'000};
  // And then to end; then it is killed.
  std::chrono::milliseconds kill_timeout{5'000};
};

// What became of a reload.
struct RolloutResult {
  unsigned replaced = 0;
  unsigned wanted = 0;
  std::chrono::milliseconds took{};
  // Why it was abandoned; the old workers go on. Empty: every worker was replaced.
  std::string why = {};

  [[nodiscard]] bool ok() const { return why.empty(); }
};

}  // namespace muster
