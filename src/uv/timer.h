#pragma once

#include <uv.h>

#include <chrono>

#include <muster/function.h>
#include "uv/loop.h"
#include "uv/uv_handle.h"

namespace muster::uv {

// Calls back once or again and again. Not before start(); stops when it is destroyed, which it may be
// from its own callback.
class Timer {
 public:
  Timer(Loop& loop, Function<void()> callback)
      : loop_(loop),
        callback_(std::make_shared<Function<void()>>(std::move(callback))),
        handle_(this, [&loop](uv_timer_t* h) { return uv_timer_init(loop.get(), h); }) {}

  void start(std::chrono::milliseconds after, std::chrono::milliseconds repeat = {}) {
    uv_update_time(loop_.get());
    uv_timer_start(
        handle_.get(),
        [](uv_timer_t* handle) {
          auto* self = static_cast<Timer*>(handle->data);
          if (!self) return;
          const Loop::Turn turn(self->loop_);
          const auto callback = self->callback_;
          (*callback)();
        },
        static_cast<std::uint64_t>(after.count()), static_cast<std::uint64_t>(repeat.count()));
  }
  void stop() { uv_timer_stop(handle_.get()); }
  void ref() { handle_.ref(); }
  void unref() { handle_.unref(); }

 private:
  Loop& loop_;
  std::shared_ptr<Function<void()>> callback_;
  UvHandle<uv_timer_t> handle_;
};

}  // namespace muster::uv
