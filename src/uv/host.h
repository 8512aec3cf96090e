// SPDX-License-Identifier: MIT
#pragma once

#include "core/listen_rights.h"

namespace muster::uv {

// What the core has to know of this process.
core::Host host();

}  // namespace muster::uv
