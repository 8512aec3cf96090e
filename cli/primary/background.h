#pragma once

#include <muster/function.h>
#include <muster/loop.h>

namespace muster::cli {

// Runs `work` in another thread, and `done` in the loop's when it has ended.
void run_in_background(Loop& loop, Function<void()> work, Function<void()> done);

}  // namespace muster::cli
