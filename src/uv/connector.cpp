#include "uv/connector.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "uv/socket.h"

namespace muster::uv {

Connector::Connector(Loop& loop, const std::string& host_or_path, std::optional<int> port, Handler handler)
    : loop_(loop), handler_(std::move(handler)) {
  auto [socket, error] = start_connect(host_or_path, port);
  socket_ = std::move(socket);
  if (error != EINPROGRESS) {
    loop_.next_tick([this, alive = std::weak_ptr(self_), error = error] {
      if (alive.lock()) finish(error);
    });
    return;
  }
  poll_ =
      std::make_unique<UvHandle<uv_poll_t>>(this, [this](uv_poll_t* h) { return uv_poll_init(loop_.get(), h, socket_.get()); });
  uv_poll_start(poll_->get(), UV_WRITABLE, [](uv_poll_t* handle, int, int) {
    auto* self = static_cast<Connector*>(handle->data);
    if (!self) return;
    const Loop::Turn turn(self->loop_);
    int failed = 0;
    socklen_t size = sizeof failed;
    getsockopt(self->socket_.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
    self->finish(failed);
  });
}

void Connector::finish(int error_number) {
  poll_.reset();
  if (error_number != 0) socket_.reset();
  // The handler may destroy this.
  Handler handler = std::move(handler_);
  handler(std::move(socket_), error_number);
}

}  // namespace muster::uv
