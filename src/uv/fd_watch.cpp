// SPDX-License-Identifier: MIT
#include "uv/fd_watch.h"

#include <utility>

namespace muster::uv {

int FdWatch::start(int fd, std::uint32_t events) {
  if (const int error = loop_.poller().watch(fd, events, *this, Poller::Trigger::level); error != 0) return error;
  fd_ = fd;
  hold_loop();
  return 0;
}

void FdWatch::stop() {
  if (fd_ < 0) return;
  loop_.poller().forget(std::exchange(fd_, -1));
  hold_loop();
}

void FdWatch::ref() {
  ref_ = true;
  hold_loop();
}

void FdWatch::unref() {
  ref_ = false;
  hold_loop();
}

void FdWatch::hold_loop() {
  const bool holds = ref_ && started();
  if (std::exchange(holds_loop_, holds) == holds) return;
  if (holds) {
    loop_.hold();
  } else {
    loop_.release();
  }
}

void FdWatch::handle_ready(std::uint32_t events) {
  const auto handler = handler_;
  (*handler)(events);
}

}  // namespace muster::uv
