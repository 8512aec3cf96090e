// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <muster/exit_status.h>

namespace muster::core {

// Node's `worker.state`, as the primary sees it.
enum class State : std::uint8_t { none, online, listening, disconnected, dead };

std::string_view to_string(State state);

// What is reported of a worker.
enum class Report : std::uint8_t { online, listening, disconnected, exited };

// A worker's life as the primary sees it: the state, and the facts that outlast each state.
class Lifecycle {
 public:
  // Returns whether the report changes anything. One that a correct worker never makes at this point
  // (online after its channel closed, a second exit) does not, and is not to be told to anybody.
  bool report(Report report);

  State state() const { return state_; }
  bool disconnected() const { return disconnected_; }
  bool exited() const { return exited_; }
  // Both, in whichever order: only then is the worker gone.
  bool gone() const { return disconnected_ && exited_; }

 private:
  State state_ = State::none;
  bool disconnected_ = false;
  bool exited_ = false;
};

}  // namespace muster::core
