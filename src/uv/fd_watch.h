// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include <muster/function.h>
#include "uv/loop.h"
#include "uv/poller.h"

namespace muster::uv {

// Calls back in a turn of the loop as long as a descriptor is ready: EPOLLIN and its like. Keeps the loop alive while it is
// started, unless unref().
class FdWatch final : private Poller::Client {
 public:
  // May destroy the watch.
  using Handler = Function<void(std::uint32_t events)>;

  FdWatch(Loop& loop, Handler handler) : loop_(loop), handler_(std::make_shared<Handler>(std::move(handler))) {}
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;
  ~FdWatch() { stop(); }

  // Starts, or changes what it waits for. Returns an errno.
  int start(int fd, std::uint32_t events);
  // Before the descriptor is closed.
  void stop();
  bool started() const { return fd_ >= 0; }
  void ref();
  void unref();

 private:
  void handle_ready(std::uint32_t events) override;
  void hold_loop();

  Loop& loop_;
  std::shared_ptr<Handler> handler_;
  int fd_ = -1;
  bool ref_ = true;
  bool holds_loop_ = false;
};

}  // namespace muster::uv
