#include <muster/net.h>

#include <utility>

#include <muster/cluster.h>
#include "api/server_state.h"
#include "api/socket_state.h"
#include "api/to_address.h"
#include "uv/socket.h"

namespace muster::net {

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
bool Socket::destroyed() const { return state().destroyed(); }
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
  return Socket(detail::SocketState::connect(loop.state(), host, port, std::move(connected)));
}

Socket connect(Loop& loop, const std::string& path, Function<void()> connected) {
  return Socket(detail::SocketState::connect(loop.state(), path, std::nullopt, std::move(connected)));
}

Socket from_handle(Loop& loop, Handle handle) {
  if (handle.type() != HandleType::socket && handle.type() != HandleType::native) return {};
  return Socket(detail::SocketState::adopt(loop.state(), std::move(handle)));
}

Server create_server(Cluster& cluster, Listener<Socket> on_connection) {
  auto& loop = *cluster.state().loop;
  auto state = std::make_shared<detail::ServerState>(cluster.state().weak_from_this(), loop);
  loop.add(state);
  state->connection.on(std::move(on_connection));
  // The server itself, by pointer: it outlives its own function.
  state->on_connection = [&loop, raw = state.get()](OwnedFd fd) {
    const auto server = std::static_pointer_cast<detail::ServerState>(raw->shared_from_this());
    const auto socket = detail::SocketState::adopt(loop, std::move(fd), [server] { server->connection_closed(); });
    socket->origin = server->origin();
    server->connection.emit(loop.loop, Socket(socket));
  };
  return Server(state);
}

const Server& Server::listen(int port, Function<void()> listening) const {
  ListenOptions options;
  options.port = port;
  return listen(std::move(options), std::move(listening));
}
const Server& Server::listen(ListenOptions options, Function<void()> listening) const {
  state_->listen(std::move(options), std::move(listening));
  return *this;
}
const Server& Server::listen(Handle handle, Function<void()> listening) const {
  state_->listen_on(std::move(handle), std::move(listening));
  return *this;
}
Handle Server::to_handle() const { return state_->to_handle(); }
void Server::close(Function<void()> closed) const { state_->close(std::move(closed)); }
bool Server::listening() const { return state_->is_listening(); }
std::optional<Address> Server::address() const { return state_->address(); }
std::size_t Server::connections() const { return state_->connections(); }
void Server::get_connections(Function<void(std::error_code, std::size_t)> done) const {
  state_->count_connections(std::move(done));
}
void Server::set_max_connections(std::optional<std::size_t> limit) const { state_->set_max_connections(limit); }
void Server::set_drop_max_connection(bool drop) const { state_->set_drop_max_connection(drop); }
void Server::ref() const { state_->ref(); }
void Server::unref() const { state_->unref(); }
Subscription Server::on_connection(Listener<Socket> listener) const { return state_->connection.on(std::move(listener)); }
Subscription Server::on_listening(Listener<> listener) const { return state_->listening.on(std::move(listener)); }
Subscription Server::on_close(Listener<> listener) const { return state_->closed.on(std::move(listener)); }
Subscription Server::on_drop(Listener<const DroppedConnection&> listener) const {
  return state_->dropped.on(std::move(listener));
}
Subscription Server::on_error(Listener<const Error&> listener) const { return state_->error.on(std::move(listener)); }

}  // namespace muster::net
