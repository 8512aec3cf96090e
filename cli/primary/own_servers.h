// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <muster/address.h>

namespace muster::cli {

// Where a process and its descendants listen by TCP, as /proc has it: also what they opened themselves, without asking the
// primary.
std::vector<Address> own_servers(int pid);

}  // namespace muster::cli
