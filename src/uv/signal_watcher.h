// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>
#include <sys/epoll.h>

#include <csignal>
#include <system_error>
#include <utility>

#include <muster/function.h>
#include <muster/signal.h>
#include "os/signal_source.h"
#include "uv/loop.h"
#include "uv/poller.h"

namespace muster::uv {

// Calls back for each arrival of a signal, on the loop. Does not keep the loop alive.
class SignalWatcher final : private Poller::Client {
 public:
  // `callback` may not destroy it. Throws std::system_error where the signal cannot be watched.
  SignalWatcher(Loop& loop, Signal signal, Function<void()> callback)
      : loop_(loop), callback_(std::move(callback)), source_(signal.number()) {
    const int error = source_.error() != 0 ? source_.error() : loop_.poller().watch(source_.descriptor(), EPOLLIN, *this);
    if (error != 0) throw std::system_error(error, std::generic_category(), "the signal cannot be watched");
  }
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;
  ~SignalWatcher() { loop_.poller().forget(source_.descriptor()); }

 private:
  void handle_ready(std::uint32_t) override {
    for (unsigned count = source_.take(); count > 0; --count) callback_();
  }

  Loop& loop_;
  Function<void()> callback_;
  os::SignalSource source_;
};

// A write to what nobody reads any more fails with EPIPE instead of ending the process, unless the program has its own way
// with SIGPIPE.
inline void ignore_broken_pipes() {
  struct sigaction action {};
  if (sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace muster::uv
