// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <muster/supervision.h>

#include "status.h"

// The states of an app and a worker and the causes of an end, in one table each: what `status` prints, and what the views,
// the page, the metrics and the health pages make of it. A status holds them as text, since it may come from another version.
namespace muster::cli {

// How a state is shown.
enum class Tone { good, changing, bad, gone };
std::string_view to_string(Tone tone);

struct StateRow {
  std::string_view name;
  Tone tone;
};
// Those that a primary can be in come first, then that of an app whose primary is gone.
std::span<const StateRow> app_states();
std::span<const StateRow> worker_states();
// changing, for one that is in neither table.
Tone tone_of(std::string_view state);
// Of an app: what it does or, while it only runs, how well.
std::string_view app_state(SupervisorState state, Health health);
std::string_view worker_state(WorkerPhase phase);
// Of a seat without a process.
inline constexpr std::string_view waiting_state = "waiting";

inline bool is(std::string_view state, SupervisorState one) { return state == to_string(one); }
inline bool is_ready(const WorkerStatus& worker) { return worker.state == worker_state(WorkerPhase::ready); }
std::size_t count_ready(const AppStatus& app);

struct CauseRow {
  EndCause cause;
  std::string_view deed;  // what it says in a sentence about the worker
  bool is_fault;          // not what muster was told to do
};
std::span<const CauseRow> causes();
// Null for one of another version.
const CauseRow* find_cause(std::string_view name);

}  // namespace muster::cli
