// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace muster::test {

// The versions of Node that muster is compared with. `./dev test` installs them: see tests/interop/package.json.
inline constexpr int node_versions[] = {20, 26};

// The program of that version, and what a test of it is called. Throws when it is not installed.
std::string node_program(int version);
std::string node_name(int version);

// The folder of the packages that tests/interop/programs/package-lock.json names. Throws when it does not hold just them.
std::string node_modules();

}  // namespace muster::test
