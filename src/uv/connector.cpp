// SPDX-License-Identifier: MIT
#include "uv/connector.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "uv/resolver.h"
#include "uv/socket.h"

namespace muster::uv {

Connector::Connector(Loop& loop, const std::string& host_or_path, std::optional<int> port, Handler handler)
    : loop_(loop), handler_(std::move(handler)), watch_(loop, [this](std::uint32_t) {
        int failed = 0;
        socklen_t size = sizeof failed;
        if (getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &failed, &size) != 0) failed = errno;
        finish(failed);
      }) {
  if (!port || is_numeric(host_or_path)) {
    start(host_or_path, port);
    return;
  }
  loop_.resolver().resolve(host_or_path, [this, alive = std::weak_ptr(self_), port](const std::string& address, int error) {
    if (!alive.lock()) return;
    if (error != 0) return finish(error);
    start(address, port);
  });
}

void Connector::start(const std::string& host_or_path, std::optional<int> port) {
  auto [socket, error] = start_connect(host_or_path, port);
  socket_ = std::move(socket);
  if (error == EINPROGRESS) error = watch_.start(socket_.get(), EPOLLOUT);
  if (!watch_.started()) finish_later(error);
}

void Connector::finish_later(int error_number) {
  loop_.next_tick([this, alive = std::weak_ptr(self_), error_number] {
    if (alive.lock()) finish(error_number);
  });
}

void Connector::finish(int error_number) {
  watch_.stop();
  if (error_number != 0) socket_.reset();
  // The handler may destroy this.
  Handler handler = std::move(handler_);
  handler(std::move(socket_), error_number);
}

}  // namespace muster::uv
