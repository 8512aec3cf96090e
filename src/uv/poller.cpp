// SPDX-License-Identifier: MIT
#include "uv/poller.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>

#include <system_error>

#include "uv/loop.h"

namespace muster::uv {
namespace {

// One wake-up tells no more than this, so that many connections do not keep a channel or a timer waiting.
constexpr int batch = 128;

}  // namespace

Poller::Poller(Loop& loop) : loop_(loop), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create");
}

int Poller::watch(int fd, std::uint32_t events, Client& client, Trigger trigger) {
  if (fd < 0) return EBADF;
  const auto index = static_cast<std::size_t>(fd);
  if (index >= entries_.size()) entries_.resize(index + 1);
  Entry& entry = entries_[index];
  const bool known = entry.client == &client;
  if (!known) entry = {&client, ++last_number_};
  epoll_event event{};
  event.events = events | (trigger == Trigger::edge ? EPOLLET : 0U);
  event.data.u64 = std::uint64_t{entry.number} << 32 | static_cast<std::uint32_t>(fd);
  asked_ = true;
  if (epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0) return 0;
  const int error = errno;
  if (!known) entry.client = nullptr;
  return error;
}

void Poller::forget(int fd) {
  entries_[static_cast<std::size_t>(fd)].client = nullptr;
  // Closing would not do where another process has the socket too: its events would go on waking us.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Poller::tell_ready(int timeout) {
  asked_ = false;
  std::array<epoll_event, batch> ready;
  const int count = epoll_wait(epoll_.get(), ready.data(), batch, timeout);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t token = ready[static_cast<std::size_t>(i)].data.u64;
    const Entry& entry = entries_[static_cast<std::uint32_t>(token)];
    if (!entry.client || entry.number != token >> 32) continue;
    const Loop::Turn turn(loop_);
    entry.client->handle_ready(ready[static_cast<std::size_t>(i)].events);
  }
}

}  // namespace muster::uv
