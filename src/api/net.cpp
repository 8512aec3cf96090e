// SPDX-License-Identifier: MIT
#include <muster/net.h>

#include <utility>

#include <muster/cluster.h>
#include <muster/http.h>
#include "api/access.h"
#include "api/server_state.h"
#include "api/socket_state.h"
#include "api/to_address.h"
#include "uv/socket.h"

namespace muster::net {

using detail::Access;
using detail::to_address;

detail::SocketState& Socket::state() const {
  if (!state_) throw Exception(Errc::invalid_handle_type, "This Socket is empty: it names no connection");
  return *state_;
}
bool Socket::write(std::string_view bytes) const { return state().write(bytes); }
void Socket::end(std::string_view bytes) const { state().end(bytes); }
void Socket::destroy() const { state().destroy(); }
void Socket::ref() const { state().set_ref(true); }
void Socket::unref() const { state().set_ref(false); }
void Socket::pause() const { state().pause(); }
void Socket::resume() const { state().resume(); }
bool Socket::is_destroyed() const { return state().destroyed(); }
std::uint64_t Socket::bytes_read() const { return state().bytes_read(); }
std::uint64_t Socket::bytes_written() const { return state().bytes_written(); }
std::size_t Socket::writable_length() const { return state().writable_length(); }
int Socket::descriptor() const { return state().stream() ? state().stream()->descriptor() : -1; }
std::optional<Address> Socket::local_address() const {
  const uv::Stream* stream = state().stream();
  return stream ? to_address(uv::socket_name(stream->descriptor())) : std::nullopt;
}
std::optional<Address> Socket::remote_address() const {
  const uv::Stream* stream = state().stream();
  return stream ? to_address(uv::peer_name(stream->descriptor())) : std::nullopt;
}
Handle Socket::to_handle(KeepOpen keep_open) const { return state().to_handle(keep_open); }
Subscription Socket::on_data(Listener<std::string_view> listener) const { return state().on_data(std::move(listener)); }
Subscription Socket::on_end(Listener<> listener) const { return state().ended.on(std::move(listener)); }
Subscription Socket::on_drain(Listener<> listener) const { return state().drained.on(std::move(listener)); }
Subscription Socket::on_error(Listener<const Error&> listener) const { return state().error.on(std::move(listener)); }
Subscription Socket::on_close(Listener<> listener) const { return state().closed.on(std::move(listener)); }

Socket connect(Loop& loop, int port, const std::string& host, Function<void()> connected) {
  if (port < 0 || port > 65535) {
    throw Exception(Errc::socket_bad_port, "Port should be >= 0 and < 65536. Received " + std::to_string(port) + ".");
  }
  return Access::make<Socket>(detail::SocketState::connect(Access::state(loop), host, port, std::move(connected)));
}

Socket connect(Loop& loop, const std::string& path, Function<void()> connected) {
  return Access::make<Socket>(detail::SocketState::connect(Access::state(loop), path, std::nullopt, std::move(connected)));
}

Socket from_handle(Loop& loop, Handle handle) {
  if (handle.type() != HandleType::socket && handle.type() != HandleType::native) return {};
  return Access::make<Socket>(detail::SocketState::adopt(Access::state(loop), std::move(handle)));
}

Server create_server(Cluster& cluster, Listener<Socket> on_connection) {
  auto& loop = *Access::state(cluster).loop;
  auto state = std::make_shared<detail::ServerState>(Access::state(cluster).weak_from_this(), loop);
  loop.add(state);
  state->connection.on(std::move(on_connection));
  // The server itself, by pointer: it outlives its own function.
  state->on_connection = [&loop, raw = state.get()](OwnedFd fd) {
    const auto server = std::static_pointer_cast<detail::ServerState>(raw->shared_from_this());
    const auto socket = detail::SocketState::adopt(loop, std::move(fd), [server] { server->connection_closed(); });
    socket->origin = server->origin();
    server->connection.emit(loop.loop, Access::make<Socket>(socket));
  };
  return Access::make<Server>(std::move(state));
}

Server::Server(std::shared_ptr<detail::ServerState> state) : BasicServer(std::move(state)) {}
Subscription Server::on_connection(Listener<Socket> listener) const { return server_->connection.on(std::move(listener)); }

template <class Self>
BasicServer<Self>::BasicServer(std::shared_ptr<detail::ServerState> server) : server_(std::move(server)) {}

template <class Self>
const Self& BasicServer<Self>::listen(int port, Function<void()> listening) const {
  ListenOptions options;
  options.port = port;
  return listen(std::move(options), std::move(listening));
}
template <class Self>
const Self& BasicServer<Self>::listen(ListenOptions options, Function<void()> listening) const {
  server_->listen(std::move(options), std::move(listening));
  return static_cast<const Self&>(*this);
}
template <class Self>
const Self& BasicServer<Self>::listen(Handle handle, Function<void()> listening) const {
  server_->listen_on(std::move(handle), std::move(listening));
  return static_cast<const Self&>(*this);
}
template <class Self>
void BasicServer<Self>::close(Function<void()> closed) const {
  server_->close(std::move(closed));
}
template <class Self>
void BasicServer<Self>::handle_connection(Handle connection) const {
  if (connection.type() != HandleType::socket && connection.type() != HandleType::native) {
    throw Exception(Errc::invalid_handle_type, "Only a connection can be served");
  }
  // It is counted here from now on.
  OwnedFd fd = Access::take(std::move(connection));
  uv::set_non_blocking(fd.get());
  server_->adopt(std::move(fd));
}
template <class Self>
bool BasicServer<Self>::is_listening() const {
  return server_->is_listening();
}
template <class Self>
std::optional<Address> BasicServer<Self>::address() const {
  return server_->address();
}
template <class Self>
Handle BasicServer<Self>::to_handle() const {
  return server_->to_handle();
}
template <class Self>
std::size_t BasicServer<Self>::connections() const {
  return server_->connections();
}
template <class Self>
void BasicServer<Self>::get_connections(Function<void(std::error_code, std::size_t)> done) const {
  server_->count_connections(std::move(done));
}
template <class Self>
void BasicServer<Self>::set_max_connections(std::optional<std::size_t> limit) const {
  server_->set_max_connections(limit);
}
template <class Self>
void BasicServer<Self>::set_drop_max_connection(bool drop) const {
  server_->set_drop_max_connection(drop);
}
template <class Self>
void BasicServer<Self>::ref() const {
  server_->ref();
}
template <class Self>
void BasicServer<Self>::unref() const {
  server_->unref();
}
template <class Self>
Subscription BasicServer<Self>::on_listening(Listener<> listener) const {
  return server_->listening.on(std::move(listener));
}
template <class Self>
Subscription BasicServer<Self>::on_close(Listener<> listener) const {
  return server_->closed.on(std::move(listener));
}
template <class Self>
Subscription BasicServer<Self>::on_drop(Listener<const DroppedConnection&> listener) const {
  return server_->dropped.on(std::move(listener));
}
template <class Self>
Subscription BasicServer<Self>::on_error(Listener<const Error&> listener) const {
  return server_->error.on(std::move(listener));
}

template class BasicServer<Server>;
template class BasicServer<http::Server>;

}  // namespace muster::net
