// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <muster/supervision.h>

#include "status.h"

// The states of apps and workers, and the causes of an end: one table each, for the views, the page, the metrics and the health
// pages. An AppStatus holds them as text, since it may come from another version.
namespace muster::cli {

// How a state is shown.
enum class Tone { good, changing, bad, gone };
std::string_view to_string(Tone tone);

struct StateRow {
  std::string_view name;
  Tone tone;
};
std::span<const StateRow> app_states();
std::span<const StateRow> worker_states();
// Tone::changing for a state that is in neither table.
Tone tone_of(std::string_view state);
// The state, or while the app is running its health, unless that is `well`.
std::string_view app_state(SupervisorState state, Health health);
std::string_view worker_state(WorkerPhase phase);
// The state of a seat without a process.
inline constexpr std::string_view waiting_state = "waiting";

inline bool is(std::string_view state, SupervisorState one) { return state == to_string(one); }
inline bool is_ready(const WorkerStatus& worker) { return worker.state == worker_state(WorkerPhase::ready); }
std::size_t count_ready(const AppStatus& app);

struct CauseRow {
  EndCause cause;
  std::string_view deed;  // the predicate of a sentence about the worker
  bool is_fault;          // false for what muster was told to do
};
std::span<const CauseRow> causes();
// Null for a cause that only another version knows.
const CauseRow* find_cause(std::string_view name);

}  // namespace muster::cli
