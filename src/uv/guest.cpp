// SPDX-License-Identifier: MIT
#include "uv/guest.h"

#include <system_error>

#include "uv/loop.h"

namespace muster::uv {

Guest::Guest(Loop& loop, uv_loop_t* host)
    : loop_(loop),
      host_(host),
      poll_(this, [&](uv_poll_t* h) { return uv_poll_init(host, h, loop.poller().descriptor()); }),
      check_(this, [&](uv_check_t* h) { return uv_check_init(host, h); }),
      prepare_(this, [&](uv_prepare_t* h) { return uv_prepare_init(host, h); }),
      idle_(this, [&](uv_idle_t* h) { return uv_idle_init(host, h); }),
      timer_(this, [&](uv_timer_t* h) { return uv_timer_init(host, h); }) {
  if (!poll_) throw std::system_error(-poll_.status(), std::generic_category(), "uv_poll_init");
  poll_.unref();
  check_.unref();
  timer_.unref();
  uv_poll_start(poll_.get(), UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* self = static_cast<Guest*>(handle->data);
    if (!self) return;
    const auto keep = self->loop_.owner();
    self->loop_.poller().tell_ready(0);
  });
  uv_check_start(check_.get(), [](uv_check_t* handle) {
    auto* self = static_cast<Guest*>(handle->data);
    if (!self || !self->loop_.poller().asked()) return;
    const auto keep = self->loop_.owner();
    self->loop_.poller().tell_ready(0);
  });
}

void Guest::hold(bool holds) {
  if (holds) {
    poll_.ref();
  } else {
    poll_.unref();
  }
}

void Guest::turn_soon() {
  uv_idle_start(idle_.get(), [](uv_idle_t* handle) {
    auto* self = static_cast<Guest*>(handle->data);
    if (!self) return;
    uv_idle_stop(handle);
    const auto keep = self->loop_.owner();
    self->loop_.turn();
  });
}

void Guest::before_wait() {
  uv_prepare_start(prepare_.get(), [](uv_prepare_t* handle) {
    auto* self = static_cast<Guest*>(handle->data);
    if (!self) return;
    uv_prepare_stop(handle);
    const auto keep = self->loop_.owner();
    self->loop_.prepare_to_wait();
  });
}

void Guest::set_timeout(int milliseconds) {
  if (milliseconds < 0) {
    uv_timer_stop(timer_.get());
    return;
  }
  uv_update_time(host_);
  uv_timer_start(
      timer_.get(),
      [](uv_timer_t* handle) {
        auto* self = static_cast<Guest*>(handle->data);
        if (!self) return;
        const auto keep = self->loop_.owner();
        self->loop_.run_timers();
      },
      static_cast<std::uint64_t>(milliseconds), 0);
}

}  // namespace muster::uv
