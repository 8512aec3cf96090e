// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

namespace muster::uv {

// What the mode of a socket's file becomes that everybody may read or write.
mode_t pipe_mode(mode_t mode, bool readable, bool writable);

}  // namespace muster::uv
