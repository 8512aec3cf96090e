#include "uv/stream.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "core/assert.h"

namespace muster::uv {
namespace {

// What has been written is dropped from the front when it is this much and more than the rest, not byte by
// byte; and memory beyond it is given back when all is written.
constexpr std::size_t compact_at = 1 << 20;

}  // namespace

Stream::Stream(Loop& loop, OwnedFd socket, Client& client) : loop_(loop), socket_(std::move(socket)), client_(client) {}

Stream::~Stream() { close(); }

void Stream::ref() {
  ref_ = true;
  if (poll_) poll_->ref();
}
void Stream::unref() {
  ref_ = false;
  if (poll_) poll_->unref();
}

void Stream::start_reading() {
  if (reading_ || !open() || failed_) return;
  reading_ = true;
  watch();
}

void Stream::stop_reading() {
  if (!reading_) return;
  reading_ = false;
  if (open()) watch();
}

void Stream::watch() {
  const int wanted = (reading_ ? UV_READABLE : 0) | (kept() > 0 && !failed_ ? UV_WRITABLE : 0);
  if (wanted == watched_) return;
  watched_ = wanted;
  if (!poll_) {
    poll_ = std::make_unique<UvHandle<uv_poll_t>>(this,
                                                  [this](uv_poll_t* h) { return uv_poll_init(loop_.get(), h, socket_.get()); });
    MUSTER_ASSERT(*poll_);
    if (!ref_) poll_->unref();
  }
  if (wanted == 0) {
    uv_poll_stop(poll_->get());
    return;
  }
  uv_poll_start(poll_->get(), wanted, [](uv_poll_t* handle, int status, int events) {
    auto* self = static_cast<Stream*>(handle->data);
    if (!self) return;
    const Loop::Turn turn(self->loop_);
    self->handle_poll(status, events);
  });
}

void Stream::handle_poll(int status, int events) {
  if (status < 0) events = watched_;  // the read or the write says what it is
  if (events & UV_WRITABLE) write_kept();
  if ((events & UV_READABLE) && reading_ && open()) read_some();
}

void Stream::read_some() {
  auto& buffer = loop_.scratch();
  ssize_t n = 0;
  do {
    n = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  } while (n < 0 && errno == EINTR);
  if (n > 0) {
    bytes_read_ += static_cast<std::uint64_t>(n);
    client_.handle_read({buffer.data(), static_cast<std::size_t>(n)});
  } else if (n == 0) {
    stop_reading();
    client_.handle_end();
  } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
    fail(errno, "read");
  }
}

std::size_t Stream::send_some(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) fail(errno, "write");
      break;
    }
  }
  bytes_written_ += sent;
  return sent;
}

bool Stream::write(std::string_view bytes) {
  MUSTER_ASSERT(!ending_);
  if (!open() || failed_) return false;
  const std::size_t sent = kept() == 0 ? send_some(bytes) : 0;
  if (failed_ || sent == bytes.size()) return !failed_;
  kept_.append(bytes.substr(sent));
  watch();
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
    return;
  }
  kept_.clear();
  if (kept_.capacity() > compact_at) kept_.shrink_to_fit();
  kept_written_ = 0;
  watch();
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
  loop_.next_tick([this, alive = std::weak_ptr(self_)] {
    if (alive.lock() && open() && !failed_) finish();
  });
}

void Stream::finish() {
  shutdown(socket_.get(), SHUT_WR);
  client_.handle_finished();
}

void Stream::fail(int error_number, const char* syscall) {
  if (failed_) return;
  failed_ = true;
  reading_ = false;
  kept_.clear();
  kept_written_ = 0;
  watch();
  loop_.next_tick([this, alive = std::weak_ptr(self_), error_number, syscall] {
    if (alive.lock() && open()) client_.handle_error(error_number, syscall);
  });
}

void Stream::close() {
  poll_.reset();
  watched_ = 0;
  reading_ = false;
  socket_.reset();
}

OwnedFd Stream::release() {
  MUSTER_ASSERT(kept() == 0);
  poll_.reset();
  watched_ = 0;
  reading_ = false;
  return std::move(socket_);
}

}  // namespace muster::uv
