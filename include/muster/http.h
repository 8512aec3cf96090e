// SPDX-License-Identifier: MIT
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
struct Access;
class HttpExchange;
class HttpServerState;
}  // namespace detail

namespace http {

using Header = std::pair<std::string, std::string>;
using Headers = std::vector<Header>;

// What a server puts up with; Node's defaults. A limit that is empty is none, and one that is no more than 0 makes
// create_server() throw Exception(Errc::invalid_arg_value).
struct ServerOptions {
  // Request line and headers, in bytes. More is answered with 431.
  std::optional<std::size_t> max_head_size = 16384;
  // A body, in bytes. More is answered with 413.
  std::optional<std::size_t> max_body_size = {};
  // From the first byte of a request to the end of its head. Later is answered with 408.
  std::optional<std::chrono::milliseconds> headers_timeout = std::chrono::milliseconds(60'000);
  // To the end of its body.
  std::optional<std::chrono::milliseconds> request_timeout = std::chrono::milliseconds(300'000);
  // How long an idle connection is kept for the next request.
  std::optional<std::chrono::milliseconds> keep_alive_timeout = std::chrono::milliseconds(5'000);
  // How many connections may be open that the program owes no answer: idle, slow with a request, or slow to take a response.
  // When one more comes, the oldest of them is closed, so that clients who do nothing shut nobody out.
  std::optional<std::size_t> max_waiting_connections = {};
};

// A request that came in. A handle: keep a copy to use it after the request listener returned.
class Request {
 public:
  [[nodiscard]] std::string_view method() const;
  // The target as it came: "/path?query".
  [[nodiscard]] std::string_view url() const;
  // "1.1" or "1.0".
  [[nodiscard]] std::string_view http_version() const;
  // The first header of that name, in any case. Empty when there is none.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
  // All headers, in order, names as they came.
  [[nodiscard]] const std::vector<std::pair<std::string_view, std::string_view>>& headers() const;
  [[nodiscard]] std::optional<Address> remote_address() const;

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
  friend struct detail::Access;
  explicit Request(std::shared_ptr<detail::HttpExchange> exchange) : exchange_(std::move(exchange)) {}

  std::shared_ptr<detail::HttpExchange> exchange_;
};

// The answer. A handle: keep a copy to answer later. On a connection that is lost, writing does nothing.
class Response {
 public:
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

  [[nodiscard]] bool headers_sent() const;
  [[nodiscard]] bool ended() const;

  Subscription on_drain(Listener<> listener) const;
  // Everything is with the system.
  Subscription on_finish(Listener<> listener) const;
  // The connection was lost before that.
  Subscription on_close(Listener<> listener) const;

 private:
  friend struct detail::Access;
  explicit Response(std::shared_ptr<detail::HttpExchange> exchange) : exchange_(std::move(exchange)) {}

  std::shared_ptr<detail::HttpExchange> exchange_;
};

// An HTTP/1.1 server: keep-alive, pipelining, chunked bodies both ways, Expect: 100-continue. When it is closed, idle
// connections are closed at once, and those with requests in progress with the answer.
class Server : public net::BasicServer<Server> {
 public:
  Subscription on_request(Listener<Request&, Response&> listener) const;

 private:
  friend struct detail::Access;
  explicit Server(std::shared_ptr<detail::HttpServerState> state);

  std::shared_ptr<detail::HttpServerState> state_;
};

Server create_server(Cluster& cluster, Listener<Request&, Response&> on_request);
Server create_server(Cluster& cluster, const ServerOptions& options, Listener<Request&, Response&> on_request);

}  // namespace http

extern template class net::BasicServer<http::Server>;

}  // namespace muster
