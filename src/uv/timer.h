// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include <muster/function.h>
#include "uv/loop.h"
#include "uv/timer_queue.h"

namespace muster::uv {

// Calls back once or again and again. Not before start(); stops when it is destroyed, which it may be
// from its own callback. Keeps the loop alive while it is started, unless unref().
class Timer final : private TimerQueue::Client {
 public:
  Timer(Loop& loop, Function<void()> callback)
      : loop_(loop), callback_(std::make_shared<Function<void()>>(std::move(callback))) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { stop(); }

  void start(std::chrono::milliseconds after, std::chrono::milliseconds repeat = {}) {
    repeat_ = repeat;
    loop_.start_timer(place_, Clock::now() + after, *this);
    hold_loop();
  }
  void stop() {
    loop_.stop_timer(place_);
    hold_loop();
  }
  void ref() {
    ref_ = true;
    hold_loop();
  }
  void unref() {
    ref_ = false;
    hold_loop();
  }

 private:
  void handle_due() override {
    if (repeat_.count() > 0) {
      start(repeat_, repeat_);
    } else {
      stop();
    }
    const Loop::Turn turn(loop_);
    const auto callback = callback_;
    (*callback)();
  }
  void hold_loop() {
    const bool holds = ref_ && place_.taken();
    if (std::exchange(holds_loop_, holds) == holds) return;
    if (holds) {
      loop_.hold();
    } else {
      loop_.release();
    }
  }

  Loop& loop_;
  std::shared_ptr<Function<void()>> callback_;
  TimerQueue::Place place_;
  std::chrono::milliseconds repeat_{};
  bool ref_ = true;
  bool holds_loop_ = false;
};

}  // namespace muster::uv
