// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

namespace muster::os {

// What a process uses, as /proc has it.
struct ProcessUse {
  std::uint64_t memory = 0;    // resident, in bytes
  std::uint64_t cpu_time = 0;  // of all its threads, in milliseconds
};

// Nothing when there is no such process.
std::optional<ProcessUse> process_use(int pid);

// Whether it has ended, reaped or not. False while any of its threads runs.
bool has_ended(int pid);

}  // namespace muster::os
