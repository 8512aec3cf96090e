// SPDX-License-Identifier: MIT
#include "uv/acceptor.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "uv/socket.h"

namespace muster::uv {
namespace {

// One wake-up accepts no more than this, so that a flood does not keep the channels waiting.
constexpr int batch = 64;

// The last ones, before the socket is closed: more than its queue holds only while somebody floods it.
constexpr int queue = 4096;

constexpr std::chrono::seconds look_again_after(1);

bool is_local(int socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

// After an error that will not go away by itself. The socket stays ready meanwhile, and would wake the loop without end.
constexpr std::chrono::milliseconds pause_after_error(100);

}  // namespace

Acceptor::Acceptor(Loop& loop, OwnedFd socket, Handler handler, os::SocketFile file)
    : loop_(loop),
      socket_(std::move(socket)),
      local_(is_local(socket_.get())),
      handler_(std::move(handler)),
      file_(std::move(file)),
      watch_(loop, [this](std::uint32_t) { accept(batch); }) {}

Acceptor::~Acceptor() {
  watch_.stop();
  file_.remove();
}

int Acceptor::start(int backlog) {
  if (const int error = start_listening(socket_.get(), backlog); error != 0) return error;
  return watch_.start(socket_.get(), EPOLLIN);
}

void Acceptor::count(kernel::AcceptCounters counters) {
  counters_ = std::move(counters);
  look_ = std::make_unique<Timer>(loop_, [this] { accept(batch); });
  look_->unref();
  look_->start(look_again_after, look_again_after);
}

void Acceptor::accept_queued() {
  if (watch_.started()) accept(queue);
}

void Acceptor::accept(int most) {
  const std::weak_ptr<Acceptor*> alive = self_;
  for (int i = 0; i < most; ++i) {
    const int fd = accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    OwnedFd connection = local_ ? OwnedFd::shared(fd) : OwnedFd(fd);
    if (connection) {
      if (counters_) counters_->accepted(1);
      handler_(std::move(connection));
      // The handler may have closed this server.
      if (alive.expired()) return;
    } else if (errno == EAGAIN) {
      if (counters_) counters_->drained();
      return;
    } else if (errno == EMFILE || errno == ENFILE) {
      if (!shed_one()) pause();
      return;
    } else if (errno == ENOMEM || errno == ENOBUFS || errno == EINVAL || errno == EBADF || errno == ENOTSOCK) {
      return pause();
    }
    // Others are the connection's: accept(2) passes on what the network has to say of it.
  }
}

bool Acceptor::shed_one() {
  loop_.give_up_spare();
  const bool accepted = static_cast<bool>(OwnedFd::shared(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  const bool gone = !accepted && errno == EAGAIN;
  loop_.keep_spare();
  return accepted || gone;
}

void Acceptor::pause() {
  if (!watch_.started()) return;
  const int fd = socket_.get();
  watch_.stop();
  pause_ = std::make_unique<Timer>(loop_, [this, fd] {
    loop_.keep_spare();
    if (watch_.start(fd, EPOLLIN) != 0) pause_->start(pause_after_error);
  });
  pause_->start(pause_after_error);
}

}  // namespace muster::uv
