#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <muster/net.h>

namespace muster {

namespace detail {
class HttpExchange;
class HttpServerState;
}  // namespace detail

namespace http {

using Header = std::pair<std::string, std::string>;
using Headers = std::vector<Header>;

// What a server bears with. Node's defaults.
struct ServerOptions {
  // Request line and headers, in bytes. More is answered with 431.
  std::size_t max_head_size = 16384;
  // A body, in bytes. More is answered with 413. Empty: no limit.
  std::optional<std::size_t> max_body_size = {};
  // From the first byte of a request to the end of its head. Later is answered with 408. 0: no limit.
  std::chrono::milliseconds headers_timeout{60'000};
  // To the end of its body. 0: no limit.
  std::chrono::milliseconds request_timeout{300'000};
  // How long an idle connection is kept for the next request. 0: no limit.
  std::chrono::milliseconds keep_alive_timeout{5'000};
  // How many connections may be open that the program owes no answer: idle, slow with a request, or slow to take a response.
  // When one more comes, the oldest of them is closed, so that clients who do nothing shut nobody out. Empty: no limit.
  std::optional<std::size_t> max_waiting_connections = {};
};

// A request that came in. A handle: keep a copy to use it after the request listener returned.
class Request {
 public:
  explicit Request(std::shared_ptr<detail::HttpExchange> exchange) : exchange_(std::move(exchange)) {}

  std::string_view method() const;
  // The target as it came: "/path?query".
  std::string_view url() const;
  // "1.1" or "1.0".
  std::string_view http_version() const;
  // The first header of that name, in any case. Empty when there is none.
  std::optional<std::string_view> header(std::string_view name) const;
  // All headers, in order, names as they came.
  const std::vector<std::pair<std::string_view, std::string_view>>& headers() const;
  std::optional<Address> remote_address() const;

  // The body arrives while there is a data listener and the request is not paused. A body nobody
  // listens for is read and dropped once the response has ended.
  void pause() const;
  void resume() const;

  // The view is valid until the listener returns.
  Subscription on_data(Listener<std::string_view> listener) const;
  // The body is complete; also when there is none.
  Subscription on_end(Listener<> listener) const;
  // The connection was lost before the response was complete.
  Subscription on_aborted(Listener<> listener) const;

 private:
  std::shared_ptr<detail::HttpExchange> exchange_;
};

// The answer. A handle: keep a copy to answer later. On a connection that is lost, writing does nothing.
class Response {
 public:
  explicit Response(std::shared_ptr<detail::HttpExchange> exchange) : exchange_(std::move(exchange)) {}

  // Headers may be set until the head is sent, which the first write() or end() does. Throw
  // Exception(Errc::http_headers_sent) after that, Exception(Errc::invalid_arg_value) for what may not
  // stand in a header.
  void set_status(int status) const;
  void set_header(std::string_view name, std::string_view value) const;
  void write_head(int status, const Headers& headers = {}) const;

  // Sends a piece of the body, in chunks when no Content-Length was set. Returns false when the system
  // took less than all: wait for `drain` with more. Throws Exception(Errc::stream_write_after_end).
  bool write(std::string_view body) const;
  // Sends the last piece and ends the response.
  void end(std::string_view body = {}) const;

  bool headers_sent() const;
  bool ended() const;

  Subscription on_drain(Listener<> listener) const;
  // Everything is with the system.
  Subscription on_finish(Listener<> listener) const;
  // The connection was lost before that.
  Subscription on_close(Listener<> listener) const;

 private:
  std::shared_ptr<detail::HttpExchange> exchange_;
};

// An HTTP/1.1 server: keep-alive, pipelining, chunked bodies both ways, Expect: 100-continue. A handle,
// like net::Server, and shared with other workers in the same way.
class Server {
 public:
  explicit Server(std::shared_ptr<detail::HttpServerState> state) : state_(std::move(state)) {}

  // As net::Server.
  const Server& listen(int port, Function<void()> listening = {}) const;
  const Server& listen(ListenOptions options, Function<void()> listening = {}) const;
  const Server& listen(Handle handle, Function<void()> listening = {}) const;
  Handle to_handle() const;
  // Serves a connection that was accepted elsewhere and came with a message. Node: server.emit('connection', socket).
  // Throws Exception(Errc::invalid_handle_type) for what is no connection.
  void handle_connection(Handle connection) const;
  // Takes no more connections and closes idle ones; requests in progress are answered, and their
  // connections closed with the answer.
  void close(Function<void()> closed = {}) const;
  bool listening() const;
  std::optional<Address> address() const;
  std::size_t connections() const;
  void set_max_connections(std::optional<std::size_t> limit) const;
  void set_drop_max_connection(bool drop) const;
  void ref() const;
  void unref() const;

  Subscription on_listening(Listener<> listener) const;
  Subscription on_close(Listener<> listener) const;
  Subscription on_drop(Listener<const net::DroppedConnection&> listener) const;
  Subscription on_error(Listener<const Error&> listener) const;

  friend bool operator==(const Server&, const Server&) = default;

 private:
  std::shared_ptr<detail::HttpServerState> state_;
};

using RequestListener = Function<void(Request&, Response&)>;

Server create_server(Cluster& cluster, RequestListener on_request);
Server create_server(Cluster& cluster, ServerOptions options, RequestListener on_request);

}  // namespace http
}  // namespace muster
