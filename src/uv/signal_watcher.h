#pragma once

#include <signal.h>
#include <sys/epoll.h>

#include <csignal>
#include <system_error>
#include <utility>

#include <muster/function.h>
#include <muster/signal.h>
#include "os/signal_source.h"
#include "uv/fd_watch.h"
#include "uv/loop.h"

namespace muster::uv {

// Calls back for each arrival of a signal, on the loop. Does not keep the loop alive.
class SignalWatcher {
 public:
  // `callback` may not destroy it. Throws std::system_error where the signal cannot be watched.
  SignalWatcher(Loop& loop, Signal signal, Function<void()> callback)
      : callback_(std::move(callback)), source_(signal.number()), watch_(loop, [this](std::uint32_t) {
          for (unsigned count = source_.take(); count > 0; --count) callback_();
        }) {
    const int error = source_.error() != 0 ? source_.error() : watch_.start(source_.descriptor(), EPOLLIN);
    if (error != 0) throw std::system_error(error, std::generic_category(), "the signal cannot be watched");
    watch_.unref();
  }

 private:
  Function<void()> callback_;
  os::SignalSource source_;
  FdWatch watch_;
};

// A write to what nobody reads any more fails with EPIPE instead of ending the process, unless the program has its own way
// with SIGPIPE.
inline void ignore_broken_pipes() {
  struct sigaction action {};
  if (sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace muster::uv
