// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include "uv/loop.h"

namespace muster::uv {

// Keeps the loop alive, and nothing else: for what waits for somebody else to do the work.
class Keeper {
 public:
  explicit Keeper(Loop& loop) : loop_(loop) { loop_.hold(); }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper() { unref(); }

  void ref() {
    if (!std::exchange(holds_loop_, true)) loop_.hold();
  }
  void unref() {
    if (std::exchange(holds_loop_, false)) loop_.release();
  }

 private:
  Loop& loop_;
  bool holds_loop_ = true;
};

}  // namespace muster::uv
