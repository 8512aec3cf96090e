// SPDX-License-Identifier: MIT
#pragma once

#include <muster/function.h>

namespace muster::os {

// Runs `work` in a thread of its own, for what cannot be done without waiting. Nobody joins it: it may outlive all that started
// it. It takes no signals. Returns an errno where the system has no thread for it; `work` is gone then.
int run_in_thread(Function<void()> work);

}  // namespace muster::os
