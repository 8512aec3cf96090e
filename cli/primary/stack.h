// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <muster/function.h>
#include <muster/loop.h>

namespace muster::cli {

// Where a process stands that does not move, by eu-stack or gdb, whichever is there: in another thread, in no more than some
// seconds. Empty when neither is, or may not, or there is no thread for it.
void capture_stack(Loop& loop, int pid, std::optional<int> user, std::optional<int> group, Function<void(std::string)> done);

}  // namespace muster::cli
