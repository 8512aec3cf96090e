#pragma once

#include <uv.h>

#include "uv/loop.h"
#include "uv/uv_handle.h"

namespace muster::uv {

// Keeps the loop alive, and nothing else: for what waits for somebody else to do the work.
class Keeper {
 public:
  explicit Keeper(Loop& loop) : handle_(this, [&loop](uv_async_t* h) { return uv_async_init(loop.get(), h, nullptr); }) {}

  void ref() { handle_.ref(); }
  void unref() { handle_.unref(); }

 private:
  UvHandle<uv_async_t> handle_;
};

}  // namespace muster::uv
