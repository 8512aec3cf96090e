// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include <muster/worker.h>

namespace muster::detail {

// Asks a worker to leave without losing a request: one that has no channel by a signal.
void drain_worker(const Worker& worker, std::chrono::milliseconds timeout);

}  // namespace muster::detail
