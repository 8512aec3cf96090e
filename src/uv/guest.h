// SPDX-License-Identifier: MIT
#pragma once

#include <uv.h>

#include "uv/uv_handle.h"

namespace muster::uv {

class Loop;

// What a Loop is in a libuv loop that somebody else made and runs: that one waits, and watches the Poller's epoll.
class Guest {
 public:
  // Throws std::system_error where libuv cannot watch.
  Guest(Loop& loop, uv_loop_t* host);

  int run() { return uv_run(host_, UV_RUN_DEFAULT); }
  void stop() { uv_stop(host_); }
  // Whether the host is kept alive.
  void hold(bool holds);
  // Calls Loop::turn() before the host waits again, without waiting.
  void turn_soon();
  // Calls Loop::prepare_to_wait() before the host waits again.
  void before_wait();
  // Calls Loop::run_timers() after so many milliseconds; -1: not at all.
  void set_timeout(int milliseconds);

 private:
  Loop& loop_;
  uv_loop_t* host_;
  UvHandle<uv_poll_t> poll_;
  // After what libuv had to tell: a new connection has often brought its request already, and that need not wait for another
  // turn.
  UvHandle<uv_check_t> check_;
  UvHandle<uv_prepare_t> prepare_;
  UvHandle<uv_idle_t> idle_;
  UvHandle<uv_timer_t> timer_;
};

}  // namespace muster::uv
