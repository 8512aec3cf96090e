// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <muster/address.h>
#include <muster/error.h>
#include <muster/event.h>
#include <muster/handle.h>
#include <muster/settings.h>

namespace muster {

class Cluster;
class Loop;

namespace detail {
struct Access;
class ServerState;
class SocketState;
}  // namespace detail

namespace net {

enum class KeepOpen { no, yes };

// A connection that came over a server's limit and was closed. Empty addresses for Unix sockets.
struct DroppedConnection {
  std::optional<Address> local_address = {};
  std::optional<Address> remote_address = {};
};

// A connected stream. A handle: copies name the same connection, which the loop keeps until it is
// closed. An empty one names none: `if (socket)` tells, and every other call throws
// Exception(Errc::invalid_handle_type).
//
// It reads while it has a data listener and is not paused, and it is closed when both directions have
// ended: after the peer's end, end() follows by itself.
class Socket {
 public:
  Socket() = default;
  [[nodiscard]] explicit operator bool() const { return state_ != nullptr; }

  // Returns false when the system took less than all: the rest is kept and written later; wait for
  // `drain` with more. Ignored on a closed connection. Throws Exception(Errc::stream_write_after_end).
  bool write(std::string_view bytes) const;
  // Writes `bytes`, then tells the peer that no more comes.
  void end(std::string_view bytes = {}) const;
  // Closes at once; what is not written is lost.
  void destroy() const;
  // Stops and resumes reading.
  void pause() const;
  void resume() const;
  // Whether it keeps the loop alive. It does from the start; while it connects it does in any case.
  void ref() const;
  void unref() const;

  [[nodiscard]] bool is_destroyed() const;
  std::uint64_t bytes_read() const;
  std::uint64_t bytes_written() const;
  // Bytes that write() kept.
  [[nodiscard]] std::size_t writable_length() const;
  // Its descriptor, which stays the Socket's; -1 before it is connected and when it is closed. For Settings::stdio, to give a
  // worker the connection as a descriptor: {StdioEntry::Kind::descriptor, socket.descriptor()}.
  [[nodiscard]] int descriptor() const;
  // Empty for Unix sockets and closed connections.
  [[nodiscard]] std::optional<Address> local_address() const;
  [[nodiscard]] std::optional<Address> remote_address() const;

  // The connection, to be sent: worker.send("take this", socket.to_handle()). With KeepOpen::no the Socket is closed
  // here, without telling the peer; with KeepOpen::yes it stays usable, beside the receiver's. Node's option `keepOpen`.
  // Throws Exception(Errc::invalid_handle_type) when bytes are kept, and std::system_error where this process has no descriptor
  // for the copy.
  [[nodiscard]] Handle to_handle(KeepOpen keep_open = KeepOpen::no) const;

  // The view is valid until the listener returns.
  Subscription on_data(Listener<std::string_view> listener) const;
  // The peer sends no more.
  Subscription on_end(Listener<> listener) const;
  Subscription on_drain(Listener<> listener) const;
  // `close` follows. An error nobody listens for is not unhandled here: connections break.
  Subscription on_error(Listener<const Error&> listener) const;
  // The last event.
  Subscription on_close(Listener<> listener) const;

  friend bool operator==(const Socket&, const Socket&) = default;

 private:
  friend struct detail::Access;
  explicit Socket(std::shared_ptr<detail::SocketState> state) : state_(std::move(state)) {}
  [[nodiscard]] detail::SocketState& state() const;

  std::shared_ptr<detail::SocketState> state_;
};

// What every listening stream server can, whatever it speaks: net::Server and http::Server, which is `Self`. A handle: copies
// name the same server, and the loop keeps a server while it listens, also when every copy is gone.
//
// In a worker listen() asks the primary, which owns the port: workers that ask for the same address share it. In the primary
// the server listens by itself.
template <class Self>
class BasicServer {
 public:
  // Failures arrive as `error`. Throws Exception(Errc::server_already_listen) while it listens or is about to, and
  // Exception(Errc::socket_bad_port).
  const Self& listen(int port, Function<void()> listening = {}) const;
  const Self& listen(ListenOptions options, Function<void()> listening = {}) const;
  // Listens on a socket that came with a message, or one that is bound already: here, without asking the primary.
  const Self& listen(Handle handle, Function<void()> listening = {}) const;
  // Takes no more connections; `close` when the last one has ended, also of those that were sent to other processes of the
  // cluster. Throws Exception(Errc::server_not_running) when it does not listen.
  void close(Function<void()> closed = {}) const;
  // Serves a connection that was accepted elsewhere and came with a message. Node: server.emit('connection', socket). Throws
  // Exception(Errc::invalid_handle_type) for what is no connection.
  void handle_connection(Handle connection) const;

  [[nodiscard]] bool is_listening() const;
  // Where it listens. Empty before `listening`.
  [[nodiscard]] std::optional<Address> address() const;
  // Another name for its listening socket, to be sent: the receiver may listen on it too. Empty while it does not listen;
  // throws Exception(Errc::invalid_handle_type) in a worker for which the primary accepts, and std::system_error where this
  // process has no descriptor for it.
  [[nodiscard]] Handle to_handle() const;
  // How many connections it has in this process.
  [[nodiscard]] std::size_t connections() const;
  // The same with those that were sent to other processes, which are asked. `done` runs later, with
  // Errc::child_closed_before_reply when one of them went away without an answer.
  void get_connections(Function<void(std::error_code, std::size_t)> done) const;
  // More connections are refused: in a worker the primary offers them to another. Elsewhere they are dropped. Empty: no limit.
  void set_max_connections(std::optional<std::size_t> limit) const;
  // Whether a connection over the limit is dropped in a worker too.
  void set_drop_max_connection(bool drop) const;
  // Whether it keeps the loop alive. It does from the start.
  void ref() const;
  void unref() const;

  Subscription on_listening(Listener<> listener) const;
  Subscription on_close(Listener<> listener) const;
  // A connection was dropped because of set_max_connections().
  Subscription on_drop(Listener<const DroppedConnection&> listener) const;
  // bind EADDRINUSE and the like, from the primary too. Unhandled, it comes out of Loop::run().
  Subscription on_error(Listener<const Error&> listener) const;

  friend bool operator==(const BasicServer&, const BasicServer&) = default;

 protected:
  friend struct detail::Access;
  explicit BasicServer(std::shared_ptr<detail::ServerState> server);

  std::shared_ptr<detail::ServerState> server_;
};

// A server of plain byte streams.
class Server : public BasicServer<Server> {
 public:
  Subscription on_connection(Listener<Socket> listener) const;

 private:
  friend struct detail::Access;
  explicit Server(std::shared_ptr<detail::ServerState> state);
};

extern template class BasicServer<Server>;

Server create_server(Cluster& cluster, Listener<Socket> on_connection);

// Connects to a port or a path. Failure is an `error` on the socket; `connected` runs on success.
Socket connect(Loop& loop, int port, const std::string& host = "127.0.0.1", Function<void()> connected = {});
Socket connect(Loop& loop, const std::string& path, Function<void()> connected = {});

// The connection that came with a message, to read from and write to here. Empty for another kind.
Socket from_handle(Loop& loop, Handle handle);

}  // namespace net
}  // namespace muster
