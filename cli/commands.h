// SPDX-License-Identifier: MIT
#pragma once

#include "config/options.h"

namespace muster::cli {

// Does what the command line asks for. Returns what main() should.
int run(const Command& command);

// What the hidden words of the command line are for: `__primary`, a primary that another process starts; `__exec`, the start of
// a worker that takes its sockets as descriptors. Returns nothing for other words.
std::optional<int> run_hidden(int argc, char** argv);

}  // namespace muster::cli
