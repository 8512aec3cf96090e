// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace muster::core {

// ECMAScript's Number::toString: the shortest digits that read back the same, laid out by its rules.
void append_number(double value, std::string& out);

}  // namespace muster::core
