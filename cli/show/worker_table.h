// SPDX-License-Identifier: MIT
#pragma once

#include "show/table.h"
#include "status.h"

namespace muster::cli {

// The workers as `status` and `top` show them: one list of columns for both.
Table worker_table();
std::vector<Cell> worker_row(const WorkerStatus& worker);

}  // namespace muster::cli
