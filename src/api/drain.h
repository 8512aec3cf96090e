// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

#include <muster/worker.h>

namespace muster::detail {

// Asks a worker to leave without losing a request. One that never spoke on its channel would not hear: it gets a signal.
void drain_worker(const Worker& worker, std::chrono::milliseconds timeout);

}  // namespace muster::detail
