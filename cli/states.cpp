// SPDX-License-Identifier: MIT
#include "states.h"

#include <algorithm>

namespace muster::cli {

std::string_view to_string(Tone tone) {
  switch (tone) {
    case Tone::good: return "good";
    case Tone::changing: return "changing";
    case Tone::bad: return "bad";
    case Tone::gone: return "gone";
  }
  return "";
}

std::span<const StateRow> app_states() {
  using enum SupervisorState;
  static const StateRow rows[] = {
      {to_string(starting), Tone::changing},
      {to_string(running), Tone::good},
      {to_string(Health::degraded), Tone::changing},
      {to_string(Health::crash_loop), Tone::bad},
      {to_string(reloading), Tone::changing},
      {to_string(stopping), Tone::changing},
      {to_string(failed), Tone::bad},
      {to_string(stopped), Tone::gone},
  };
  return rows;
}

std::span<const StateRow> worker_states() {
  static const StateRow rows[] = {
      {worker_state(WorkerPhase::starting), Tone::changing},
      {worker_state(WorkerPhase::ready), Tone::good},
      {worker_state(WorkerPhase::draining), Tone::changing},
      {worker_state(WorkerPhase::terminating), Tone::changing},
      {waiting_state, Tone::changing},
  };
  return rows;
}

Tone tone_of(std::string_view state) {
  for (const auto& rows : {app_states(), worker_states()}) {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const StateRow& row) { return row.name == state; });
    if (found != rows.end()) return found->tone;
  }
  return Tone::changing;
}

std::string_view app_state(SupervisorState state, Health health) {
  return state != SupervisorState::running || health == Health::well ? to_string(state) : to_string(health);
}

std::string_view worker_state(WorkerPhase phase) {
  switch (phase) {
    case WorkerPhase::starting: return "starting";
    case WorkerPhase::ready: return "ready";
    case WorkerPhase::draining: return "draining";
    case WorkerPhase::terminating:
    case WorkerPhase::killing: return "stopping";
  }
  return "";
}

std::size_t count_ready(const AppStatus& app) {
  return static_cast<std::size_t>(std::count_if(app.workers.begin(), app.workers.end(), is_ready));
}

std::span<const CauseRow> causes() {
  using enum EndCause;
  static constexpr CauseRow rows[] = {
      {crashed, "crashed", true},
      {exited, "exited", true},
      {never_ready, "never became ready", true},
      {not_started, "could not be started", true},
      {memory, "used too much memory", true},
      {requests, "reached its limit of requests", false},
      {age, "reached its maximum age", false},
      {hung, "hung", true},
      {reload, "was replaced by a reload", false},
      {restart, "was ended by a restart", false},
      {scale, "was scaled away", false},
      {stop, "was stopped", false},
  };
  return rows;
}

const CauseRow* find_cause(std::string_view name) {
  const auto rows = causes();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const CauseRow& row) { return to_string(row.cause) == name; });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace muster::cli
