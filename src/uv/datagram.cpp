// SPDX-License-Identifier: MIT
#include "uv/datagram.h"

#include <sys/epoll.h>

#include <cerrno>
#include <utility>

#include "uv/socket.h"

namespace muster::uv {
namespace {

constexpr int datagrams_per_turn = 64;

}  // namespace

Datagram::Datagram(Loop& loop, OwnedFd socket, Client& client)
    : loop_(loop),
      socket_(std::move(socket)),
      client_(client),
      watch_(loop, [this](std::uint32_t events) { handle_ready(events); }) {
  watch();
}

void Datagram::watch() { error_ = watch_.start(socket_.get(), EPOLLIN | (kept_.empty() ? 0U : EPOLLOUT)); }

void Datagram::handle_ready(std::uint32_t events) {
  const std::weak_ptr<Datagram*> alive = self_;
  if (events & EPOLLOUT) send_kept();
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

void Datagram::send(std::string bytes, std::optional<std::string> address, int port, Done done) {
  int error = EAGAIN;
  if (kept_.empty()) error = send_to(socket_.get(), bytes, address, port);
  if (error == EAGAIN) {
    kept_.push_back({std::move(bytes), std::move(address), port, std::move(done)});
    if (kept_.size() == 1) watch();
    return;
  }
  loop_.next_tick([done = std::move(done), error]() mutable { done(error); });
}

void Datagram::send_kept() {
  while (!kept_.empty()) {
    const int error = send_to(socket_.get(), kept_.front().bytes, kept_.front().address, kept_.front().port);
    if (error == EAGAIN) return;
    Done done = std::move(kept_.front().done);
    kept_.pop_front();
    loop_.next_tick([done = std::move(done), error]() mutable { done(error); });
  }
  watch();
}

}  // namespace muster::uv
