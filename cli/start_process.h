// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "primary/order.h"

namespace muster::cli {

// A primary that is started by another process of this command: in the background, or to take the place of the one that starts
// it. It finds what it is to be as JSON at descriptor 3, where to report how it goes at 4, and from 5 on the sockets it is
// given.
namespace child {
inline constexpr int order = 3;
inline constexpr int line = 4;
inline constexpr int first_socket = 5;
}  // namespace child

struct StartedProcess {
  int pid = 0;
  int line = -1;  // our end, which the caller closes
  std::string error = {};
};

// `program` runs with `__primary NAME`. A `log` that is not empty takes its output, and it is out of reach of the terminal;
// otherwise it has ours.
StartedProcess start_primary(const std::string& program, const Order& order, const std::string& log);

// The file that this process was started from, by the name that it was started by: to be asked while that still is this
// program's. Another one may have that name later.
std::string own_program();

}  // namespace muster::cli
