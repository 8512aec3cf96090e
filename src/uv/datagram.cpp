#include "uv/datagram.h"

#include <cerrno>
#include <utility>

#include "core/assert.h"
#include "uv/socket.h"

namespace muster::uv {
namespace {

constexpr int datagrams_per_turn = 64;

}  // namespace

Datagram::Datagram(Loop& loop, OwnedFd socket, Client& client) : loop_(loop), socket_(std::move(socket)), client_(client) {
  poll_ =
      std::make_unique<UvHandle<uv_poll_t>>(this, [this](uv_poll_t* h) { return uv_poll_init(loop_.get(), h, socket_.get()); });
  MUSTER_ASSERT(*poll_);
  watch();
}

void Datagram::watch() {
  uv_poll_start(poll_->get(), UV_READABLE | (kept_.empty() ? 0 : UV_WRITABLE), [](uv_poll_t* handle, int, int events) {
    auto* self = static_cast<Datagram*>(handle->data);
    if (!self) return;
    const Loop::Turn turn(self->loop_);
    self->handle_poll(events);
  });
}

void Datagram::handle_poll(int events) {
  const std::weak_ptr<Datagram*> alive = self_;
  if (events & UV_WRITABLE) send_kept();
  if (!alive.expired()) receive();
}

void Datagram::receive() {
  const std::weak_ptr<Datagram*> alive = self_;
  for (int i = 0; i < datagrams_per_turn && !alive.expired(); ++i) {
    auto& buffer = loop_.scratch();
    core::wire::SocketName from;
    const auto [size, error] = receive_from(socket_.get(), buffer.data(), buffer.size(), from);
    if (error == EAGAIN) return;
    if (error != 0) {
      // A port that nobody listens on, of a datagram we sent earlier: of this socket's own making.
      client_.handle_receive_error(error);
      return;
    }
    client_.handle_datagram({buffer.data(), size}, from);
  }
}

void Datagram::send(std::string bytes, std::optional<std::string> host, int port, Done done) {
  int error = EAGAIN;
  if (kept_.empty()) error = send_to(socket_.get(), bytes, host, port);
  if (error == EAGAIN) {
    kept_.push_back({std::move(bytes), std::move(host), port, std::move(done)});
    if (kept_.size() == 1) watch();
    return;
  }
  loop_.next_tick([done = std::move(done), error]() mutable { done(error); });
}

void Datagram::send_kept() {
  while (!kept_.empty()) {
    const int error = send_to(socket_.get(), kept_.front().bytes, kept_.front().host, kept_.front().port);
    if (error == EAGAIN) return;
    Done done = std::move(kept_.front().done);
    kept_.pop_front();
    loop_.next_tick([done = std::move(done), error]() mutable { done(error); });
  }
  watch();
}

}  // namespace muster::uv
