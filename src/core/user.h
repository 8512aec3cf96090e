// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

namespace muster::core {

// A user whose rights are not this process's.
struct User {
  int uid = 0;
  std::optional<int> gid = {};  // nothing: this process's

  friend bool operator==(const User&, const User&) = default;
};

}  // namespace muster::core
