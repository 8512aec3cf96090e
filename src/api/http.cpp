// SPDX-License-Identifier: MIT
#include <muster/http.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <utility>

#include <muster/cluster.h>
#include "api/access.h"
#include "api/http_connection.h"
#include "api/http_server.h"

namespace muster {
namespace detail {
namespace {

void check(const char* name, const auto& limit) {
  using Limit = std::remove_cvref_t<decltype(*limit)>;
  if (limit && *limit <= Limit{}) {
    throw Exception(Errc::invalid_arg_value, std::string(name) + " must be more than 0; left empty, there is no limit");
  }
}

}  // namespace

std::shared_ptr<HttpServerState> HttpServerState::make(Cluster& cluster, const http::ServerOptions& options) {
  check("max_head_size", options.max_head_size);
  check("max_body_size", options.max_body_size);
  check("headers_timeout", options.headers_timeout);
  check("request_timeout", options.request_timeout);
  check("keep_alive_timeout", options.keep_alive_timeout);
  check("max_waiting_connections", options.max_waiting_connections);
  LoopState& loop = *Access::state(cluster).loop;
  auto state = std::make_shared<HttpServerState>(loop, options);
  state->server = std::make_shared<ServerState>(Access::state(cluster).weak_from_this(), loop);
  loop.add(state);
  state->server->owner = state;
  state->server->on_connection = [weak = std::weak_ptr(state)](OwnedFd fd) {
    if (const auto self = weak.lock()) std::make_shared<HttpConnection>(self, std::move(fd))->start();
  };
  state->server->on_closing = [weak = std::weak_ptr(state)] {
    if (const auto self = weak.lock()) self->close_idle();
  };
  return state;
}

void HttpServerState::add(HttpConnection& connection) {
  if (options.max_waiting_connections && connections_.size() >= *options.max_waiting_connections) make_room();
  connection.place = connections_.insert(connections_.end(), &connection);
  if (overdue_) return;
  overdue_ = std::make_unique<uv::Timer>(loop->loop, [this] { close_overdue(); });
  overdue_->unref();
  overdue_->start(check_interval(), check_interval());
}

void HttpServerState::make_room() {
  const auto waits = [](const HttpConnection* connection) { return !connection->answering(); };
  const auto waiting = static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(), waits));
  if (waiting < *options.max_waiting_connections) return;
  (*std::find_if(connections_.begin(), connections_.end(), waits))->close();
}

void HttpServerState::remove(HttpConnection& connection) {
  connections_.erase(connection.place);
  // The server may outlive the loop, but no connection does.
  if (connections_.empty()) overdue_.reset();
}

std::chrono::milliseconds HttpServerState::check_interval() const {
  std::chrono::milliseconds shortest{4000};
  for (const auto timeout : {options.headers_timeout, options.request_timeout, options.keep_alive_timeout}) {
    if (timeout) shortest = std::min(shortest, *timeout);
  }
  return std::max(shortest / 4, std::chrono::milliseconds(5));
}

void HttpServerState::close_idle() {
  const auto connections = connections_;
  for (HttpConnection* connection : connections) connection->close_if_idle();
}

void HttpServerState::close_overdue() {
  const std::uint64_t now = uv::Loop::now();
  const auto connections = connections_;
  for (HttpConnection* connection : connections) connection->close_if_overdue(now);
}

const std::string& HttpServerState::date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_time_) {
    date_time_ = now;
    date_ = http1::http_date(now);
  }
  return date_;
}

}  // namespace detail

namespace http {

std::string_view Request::method() const { return exchange_->head->method; }
std::string_view Request::url() const { return exchange_->head->target; }
std::string_view Request::http_version() const { return exchange_->head->minor_version == 1 ? "1.1" : "1.0"; }
std::optional<std::string_view> Request::header(std::string_view name) const {
  for (const auto& [key, value] : headers()) {
    if (key.size() == name.size() && std::equal(key.begin(), key.end(), name.begin(), [](unsigned char a, unsigned char b) {
          return std::tolower(a) == std::tolower(b);
        })) {
      return value;
    }
  }
  return std::nullopt;
}
const std::vector<std::pair<std::string_view, std::string_view>>& Request::headers() const { return exchange_->head->headers; }
std::optional<Address> Request::remote_address() const {
  return exchange_->connection ? exchange_->connection->remote_address() : std::nullopt;
}
void Request::pause() const { exchange_->pause(true); }
void Request::resume() const { exchange_->pause(false); }
Subscription Request::on_data(Listener<std::string_view> listener) const { return exchange_->on_data(std::move(listener)); }
Subscription Request::on_end(Listener<> listener) const { return exchange_->on_end(std::move(listener)); }
Subscription Request::on_aborted(Listener<> listener) const { return exchange_->aborted.on(std::move(listener)); }

void Response::set_status(int status) const {
  if (status < 100 || status > 999) {
    throw Exception(Errc::invalid_arg_value, "A status must be 100 to 999. Received " + std::to_string(status));
  }
  if (exchange_->writer.head_written()) {
    throw Exception(Errc::http_headers_sent, "Cannot set the status after it is sent to the client");
  }
  exchange_->writer.set_status(status);
}
void Response::set_header(std::string_view name, std::string_view value) const { exchange_->set_header(name, value); }
void Response::write_head(int status, const Headers& headers) const {
  set_status(status);
  for (const auto& [name, value] : headers) set_header(name, value);
}
bool Response::write(std::string_view body) const { return exchange_->write(body); }
void Response::end(std::string_view body) const { exchange_->end(body); }
bool Response::headers_sent() const { return exchange_->writer.head_written(); }
bool Response::ended() const { return exchange_->response_ended; }
Subscription Response::on_drain(Listener<> listener) const { return exchange_->drained.on(std::move(listener)); }
Subscription Response::on_finish(Listener<> listener) const { return exchange_->finished.on(std::move(listener)); }
Subscription Response::on_close(Listener<> listener) const { return exchange_->closed.on(std::move(listener)); }

Server::Server(std::shared_ptr<detail::HttpServerState> state)
    // Whoever holds the one holds the other.
    : BasicServer(std::shared_ptr<detail::ServerState>(state, state->server.get())), state_(std::move(state)) {}

Subscription Server::on_request(Listener<Request&, Response&> listener) const {
  return state_->request.on(std::move(listener));
}

Server create_server(Cluster& cluster, Listener<Request&, Response&> on_request) {
  return create_server(cluster, ServerOptions{}, std::move(on_request));
}
Server create_server(Cluster& cluster, const ServerOptions& options, Listener<Request&, Response&> on_request) {
  auto server = detail::Access::make<Server>(detail::HttpServerState::make(cluster, options));
  server.on_request(std::move(on_request));
  return server;
}

}  // namespace http
}  // namespace muster
