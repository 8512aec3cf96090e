// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "core/effect.h"

namespace muster::core {

// One line for each effect, for traces and tests: "fork 1", "send 1 \"act\":\"online\"", "close fd5".
std::string to_string(const PrimaryEffect& effect);
std::string to_string(const ChildEffect& effect);

}  // namespace muster::core
