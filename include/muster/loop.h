// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <system_error>

#include <muster/event.h>
#include <muster/function.h>
#include <muster/signal.h>

struct uv_loop_s;

namespace muster {

namespace detail {
struct Access;
class LoopState;
struct TimerState;
struct WatchState;
}  // namespace detail

// Names a timer. Dropping it changes nothing.
class Timer {
 public:
  Timer() = default;

  // Node's clearTimeout, clearInterval. Also from inside the timer's own callback.
  void cancel();
  // Whether the timer keeps the loop alive. It does from the start.
  void ref();
  void unref();

 private:
  friend struct detail::Access;
  explicit Timer(std::weak_ptr<detail::TimerState> state) : state_(std::move(state)) {}

  std::weak_ptr<detail::TimerState> state_;
};

// Names what watches a descriptor. Dropping it changes nothing.
class Watch {
 public:
  Watch() = default;

  // Before the descriptor is closed. Also from inside the callback.
  void cancel();
  // Whether it keeps the loop alive. It does from the start.
  void ref();
  void unref();

 private:
  friend struct detail::Access;
  explicit Watch(std::weak_ptr<detail::WatchState> state) : state_(std::move(state)) {}

  std::weak_ptr<detail::WatchState> state_;
};

// One thread, one loop, and everything made on it: the thread that made it, and from run() on the one that runs it. Only post()
// may be called from another thread; debug builds of the library (without NDEBUG) throw Exception(Errc::wrong_thread) for
// others. It may go at any moment, from its own listeners too, and then run() returns. Clusters, servers, sockets and timers
// that are still open are closed, no listener is called any more, and what names them does nothing from then on.
class Loop {
 public:
  // Both throw std::system_error where the system has no descriptors for a loop.
  Loop();
  // Runs on a libuv loop that somebody else made and closes, after this object is gone. Either side may
  // run it.
  explicit Loop(uv_loop_s* borrowed);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // Runs until nothing is left to wait for, or stop(). Returns what main() should: 0, or what stop()
  // was given. An exception that a listener threw comes out here after the event that raised it was
  // finished, and so does an `error` event that nobody listens for, as UnhandledError; run() may be
  // called again after it. With a listener of on_uncaught_exception() they go there instead.
  int run();
  void stop(int exit_code = 0);

  // Runs `task` when the code at hand returns to the loop, before the loop waits again. Node's
  // process.nextTick.
  void next_tick(Function<void()> task);
  // Runs `task` on the loop's thread. May be called from any thread; does not keep the loop alive.
  void post(Function<void()> task);

  Timer set_timeout(std::chrono::milliseconds after, Function<void()> callback);
  Timer set_interval(std::chrono::milliseconds every, Function<void()> callback);

  // Calls back as long as there is something to read from a descriptor, which stays the caller's. Throws std::system_error
  // where the system cannot watch it.
  Watch on_readable(int descriptor, Function<void()> callback);

  // Runs `work` in a thread of its own, for what cannot be done without waiting, and `done` on the loop when it has ended: with
  // the system's error where there is no thread to be had, and then `work` has not run. Keeps the loop alive. When the loop
  // goes first, `work` goes on and `done` never runs.
  void run_in_thread(Function<void()> work, Function<void(std::error_code)> done);

  // Replaces what the signal does to this process by the listeners. Does not keep the loop alive. Throws std::system_error for
  // one that cannot be caught.
  Subscription on_signal(Signal signal, Listener<Signal> listener);
  Subscription on_uncaught_exception(Listener<std::exception_ptr> listener);

 private:
  friend struct detail::Access;

  std::shared_ptr<detail::LoopState> state_;
};

// How many workers make sense: the processors this process may use, by its affinity mask and its
// cgroup's quota (rounded down), at least 1. Node's os.availableParallelism(), quota included.
unsigned available_parallelism();

}  // namespace muster
