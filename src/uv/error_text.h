// SPDX-License-Identifier: MIT
#pragma once

#include <uv.h>

namespace muster::uv {

// "address already in use": what Node says of an errno.
inline const char* error_text(int error_number) { return uv_strerror(-error_number); }

}  // namespace muster::uv
