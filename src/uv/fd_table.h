// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "core/ids.h"
#include "os/fd.h"

namespace muster::uv {

// The descriptors behind the tokens that the core deals in. Owns each from add() to take() or close().
class FdTable {
 public:
  core::FdToken add(OwnedFd fd);
  // -1 for a token that was closed.
  int get(core::FdToken token) const;
  OwnedFd take(core::FdToken token);
  void close(core::FdToken token) { take(token); }
  // Whether this very descriptor is one of them.
  bool contains(int fd) const;

 private:
  struct Slot {
    OwnedFd fd;
    std::uint32_t generation = 0;  // so that a stale token finds nothing, not its slot's next tenant
  };

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> unused_;
};

}  // namespace muster::uv
