#pragma once

#include <uv.h>

#include <muster/function.h>
#include <muster/signal.h>
#include "uv/loop.h"
#include "uv/uv_handle.h"

namespace muster::uv {

// Calls back for each arrival of a signal, on the loop. Does not keep the loop alive.
class SignalWatcher {
 public:
  SignalWatcher(Loop& loop, Signal signal, Function<void()> callback)
      : loop_(loop),
        callback_(std::move(callback)),
        handle_(this, [&loop](uv_signal_t* h) { return uv_signal_init(loop.get(), h); }) {
    handle_.unref();
    uv_signal_start(
        handle_.get(),
        [](uv_signal_t* handle, int) {
          auto* self = static_cast<SignalWatcher*>(handle->data);
          if (!self) return;
          const Loop::Turn turn(self->loop_);
          self->callback_();
        },
        signal.number());
  }

 private:
  Loop& loop_;
  Function<void()> callback_;
  UvHandle<uv_signal_t> handle_;
};

}  // namespace muster::uv
