// SPDX-License-Identifier: MIT
#include <muster/supervision.h>

namespace muster {

std::string_view to_string(EndCause cause) {
  using enum EndCause;
  switch (cause) {
    case crashed: return "crashed";
    case exited: return "exited";
    case never_ready: return "never became ready";
    case not_started: return "not started";
    case memory: return "memory";
    case requests: return "requests";
    case age: return "age";
    case hung: return "hung";
    case reload: return "reload";
    case restart: return "restart";
    case scale: return "scale";
    case stop: return "stop";
  }
  return "";
}

std::string_view to_string(SupervisorState state) {
  using enum SupervisorState;
  switch (state) {
    case starting: return "starting";
    case running: return "running";
    case reloading: return "reloading";
    case stopping: return "stopping";
    case stopped: return "stopped";
    case failed: return "failed";
  }
  return "";
}

std::string_view to_string(Health health) {
  using enum Health;
  switch (health) {
    case well: return "well";
    case degraded: return "degraded";
    case crash_loop: return "crash loop";
  }
  return "";
}

std::string exit_text(const ExitStatus& status) {
  return status.signal() ? "signal " + status.signal()->name() : "exit code " + status.to_string();
}

std::string seconds_text(std::uint64_t milliseconds) {
  if (milliseconds % 1000 == 0) return std::to_string(milliseconds / 1000) + " s";
  return std::to_string(milliseconds) + " ms";
}

}  // namespace muster
