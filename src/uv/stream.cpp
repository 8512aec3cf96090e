// SPDX-License-Identifier: MIT
#include "uv/stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/assert.h"

namespace muster::uv {
namespace {

// What has been written is dropped from the front when it is this much and more than the rest, not byte by
// byte; and memory beyond it is given back when all is written.
constexpr std::size_t compact_at = 1 << 20;

// Where these are told, a read that did not fill the buffer is not the last: the end or an error follows the bytes, or a read
// stops before the byte that is urgent.
constexpr std::uint32_t more_follows = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;

}  // namespace

Stream::Stream(Loop& loop, OwnedFd socket, Client& client) : loop_(loop), socket_(std::move(socket)), client_(client) {}

Stream::~Stream() { close(); }

void Stream::ref() {
  ref_ = true;
  hold_loop();
}
void Stream::unref() {
  ref_ = false;
  hold_loop();
}

// As libuv's own streams: while something is to come in or to go out.
void Stream::hold_loop() {
  const bool holds = ref_ && open() && (reading_ || kept() > 0);
  if (std::exchange(holds_loop_, holds) == holds) return;
  if (holds) {
    loop_.hold();
  } else {
    loop_.release();
  }
}

void Stream::start_reading() {
  if (reading_ || !open() || failed_) return;
  reading_ = true;
  hold_loop();
  if (!watched_ || unread_) ask();
}

void Stream::stop_reading() {
  if (!reading_) return;
  reading_ = false;
  hold_loop();
}

void Stream::ask() {
  unread_ = false;
  const std::uint32_t writable = kept() > 0 ? EPOLLOUT : 0U;
  const int error = loop_.poller().watch(socket_.get(), EPOLLIN | more_follows | writable, *this);
  watched_ |= error == 0;
  if (error != 0) fail(error, "epoll_ctl");
}

void Stream::handle_ready(std::uint32_t events) {
  // The write says what the error is.
  if (kept() > 0 && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) write_kept();
  if ((events & (EPOLLIN | more_follows)) == 0) return;
  if (reading_ && open()) {
    read_some(events);
  } else {
    unread_ = true;
  }
}

void Stream::read_some(std::uint32_t events) {
  auto& buffer = loop_.scratch();
  ssize_t n = 0;
  do {
    n = is_pipe_ ? read(socket_.get(), buffer.data(), buffer.size())
                 : recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == ENOTSOCK) {
      is_pipe_ = true;
      errno = EINTR;
    }
  } while (n < 0 && errno == EINTR);
  if (n > 0) {
    const auto size = static_cast<std::size_t>(n);
    bytes_read_ += size;
    unread_ = size == buffer.size() || (events & more_follows) != 0;
    client_.handle_read({buffer.data(), size});
    // Not at once: the others have their turn first.
    if (unread_ && reading_ && open()) ask();
  } else if (n == 0) {
    stop_reading();
    client_.handle_end();
  } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
    const int error = errno;
    break_off();
    client_.handle_error(error, "read");
  }
}

std::size_t Stream::send_some(std::string_view bytes) {
  ssize_t n = 0;
  do {
    n = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK) fail(errno, "write");
    return 0;
  }
  bytes_written_ += static_cast<std::uint64_t>(n);
  return static_cast<std::size_t>(n);
}

bool Stream::write(std::string_view bytes) {
  MUSTER_ASSERT(!ending_);
  if (!open() || failed_) return false;
  const std::size_t sent = kept() == 0 && !bytes.empty() ? send_some(bytes) : 0;
  if (failed_ || sent == bytes.size()) return !failed_;
  const bool waiting = kept() > 0;
  kept_.append(bytes.substr(sent));
  hold_loop();
  if (!waiting) ask();
  return false;
}

void Stream::write_kept() {
  kept_written_ += send_some(std::string_view(kept_).substr(kept_written_));
  if (failed_) return;
  if (kept() > 0) {
    if (kept_written_ >= compact_at && kept_written_ >= kept()) {
      kept_.erase(0, kept_written_);
      kept_written_ = 0;
    }
    return;  // a write that took less than all is told of when there is room again
  }
  kept_.clear();
  if (kept_.capacity() > compact_at) kept_.shrink_to_fit();
  kept_written_ = 0;
  hold_loop();
  if (ending_) {
    finish();
  } else {
    client_.handle_drained();
  }
}

void Stream::end() {
  if (ending_ || !open() || failed_) return;
  ending_ = true;
  if (kept() > 0) return;
  // Not from inside the program's call.
  loop_.next_tick([this, alive = alive()] {
    if (alive.lock() && open() && !failed_) finish();
  });
}

void Stream::finish() {
  shutdown(socket_.get(), SHUT_WR);
  client_.handle_finished();
}

void Stream::break_off() {
  failed_ = true;
  reading_ = false;
  kept_.clear();
  kept_written_ = 0;
  hold_loop();
}

void Stream::fail(int error_number, const char* syscall) {
  if (failed_) return;
  break_off();
  loop_.next_tick([this, alive = alive(), error_number, syscall] {
    if (alive.lock() && open()) client_.handle_error(error_number, syscall);
  });
}

std::weak_ptr<Stream*> Stream::alive() {
  if (!self_) self_ = std::make_shared<Stream*>(this);
  return self_;
}

void Stream::close() { const OwnedFd closed = take(); }

OwnedFd Stream::release() {
  MUSTER_ASSERT(kept() == 0);
  return take();
}

OwnedFd Stream::take() {
  if (!open()) return {};
  if (std::exchange(watched_, false)) loop_.poller().forget(socket_.get());
  reading_ = false;
  OwnedFd socket = std::move(socket_);
  hold_loop();
  return socket;
}

}  // namespace muster::uv
