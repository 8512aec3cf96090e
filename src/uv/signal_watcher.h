#pragma once

#include <signal.h>
#include <uv.h>

#include <csignal>
#include <system_error>

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
    if (!handle_) throw std::system_error(-handle_.status(), std::generic_category(), "the signal cannot be watched");
    handle_.unref();
    const int error = uv_signal_start(
        handle_.get(),
        [](uv_signal_t* handle, int) {
          auto* self = static_cast<SignalWatcher*>(handle->data);
          if (!self) return;
          const Loop::Turn turn(self->loop_);
          self->callback_();
        },
        signal.number());
    if (error != 0) throw std::system_error(-error, std::generic_category(), "the signal cannot be watched");
  }

 private:
  Loop& loop_;
  Function<void()> callback_;
  UvHandle<uv_signal_t> handle_;
};

// A write to what nobody reads any more fails with EPIPE instead of ending the process, unless the program has its own way
// with SIGPIPE.
inline void ignore_broken_pipes() {
  struct sigaction action {};
  if (sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace muster::uv
