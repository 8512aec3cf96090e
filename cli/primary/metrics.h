// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "status.h"

namespace muster::cli {

inline constexpr std::string_view metrics_type = "text/plain; version=0.0.4; charset=utf-8";

// What is known, for Prometheus.
//
// What a worker counts starts at 0 with each process, and during a reload a seat has two of them. So the counters of a worker
// carry the labels `worker`, its seat, and `pid`: a series is one process, never goes backwards, and ends with it; `sum by
// (worker) (rate(...))` is the seat's. The caller keeps nothing for that. What is counted of the app and of a seat
// (AppStatus::restarts, reloads, failed_reloads, ended, WorkerStatus::restarts) has to be counted from the start of the primary
// and never be taken back.
std::string metrics_text(const AppStatus& app);

}  // namespace muster::cli
