// SPDX-License-Identifier: MIT
#include "api/http_connection.h"

#include <limits>
#include <utility>

#include <muster/error.h>
#include "api/access.h"
#include "api/to_address.h"
#include "uv/socket.h"

namespace muster::detail {
namespace {

constexpr std::size_t high_water = 65536;
constexpr std::chrono::milliseconds linger_time{2000};

http1::RequestReader::Limits limits_of(const http::ServerOptions& options) {
  return {options.max_head_size.value_or(std::numeric_limits<std::size_t>::max()), options.max_body_size};
}

}  // namespace

HttpExchange::HttpExchange(HttpConnection& c, std::unique_ptr<http1::RequestHead> h)
    : connection(&c), head(std::move(h)), writer(head->minor_version, head->keep_alive, head->method == "HEAD") {}

Subscription HttpExchange::on_data(Listener<std::string_view> listener) {
  Subscription subscription = data.on(std::move(listener));
  if (connection) connection->wants_body();
  return subscription;
}

Subscription HttpExchange::on_end(Listener<> listener) {
  Subscription subscription = ended.on(std::move(listener));
  if (connection) connection->wants_body();
  return subscription;
}

void HttpExchange::tell_end(uv::Loop& loop) {
  if (end_told_ || paused_ || ended.empty()) return;
  end_told_ = true;
  ended.emit(loop);
}

void HttpExchange::forget_request_listeners() {
  data.clear();
  ended.clear();
  aborted.clear();
  drained.clear();
}

void HttpExchange::forget_response_listeners() {
  finished.clear();
  closed.clear();
}

void HttpExchange::pause(bool paused) {
  paused_ = paused;
  if (connection) connection->wants_body();
}

void HttpExchange::set_header(std::string_view name, std::string_view value) {
  if (writer.head_written()) throw Exception(Errc::http_headers_sent, "Cannot set headers after they are sent to the client");
  if (!writer.set_header(name, value)) {
    throw Exception(Errc::invalid_arg_value,
                    "The header '" + std::string(name) + "' has a name or a value that HTTP does not allow");
  }
}

bool HttpExchange::write(std::string_view body) {
  if (response_ended) throw Exception(Errc::stream_write_after_end, "write after end");
  if (!connection) return false;
  if (connection->closing()) writer.close_after();
  writer.write(body, connection->date(), connection->output());
  return connection->flowing();
}

void HttpExchange::end(std::string_view body) {
  if (response_ended) {
    if (!body.empty()) throw Exception(Errc::stream_write_after_end, "write after end");
    return;
  }
  response_ended = true;
  if (!connection) return;
  if (connection->closing()) writer.close_after();
  writer.end(body, connection->date(), connection->output());
  connection->response_ended();
}

HttpConnection::HttpConnection(std::shared_ptr<HttpServerState> server, OwnedFd socket)
    : server_(std::move(server)),
      stream_(server_->loop->loop, std::move(socket), *this),
      reader_(limits_of(server_->options)) {}

HttpConnection::~HttpConnection() { server_->loop->loop.forget(*this); }

void HttpConnection::start() {
  server_->loop->hold(*this);
  server_->add(*this);
  set_deadline(server_->options.headers_timeout);
  stream_.start_reading();
}

bool HttpConnection::closing() const {
  // A client that has sent its last request has its answer to each, those included that are read already.
  return server_->closing() || (peer_ended_ && reader_.idle());
}
bool HttpConnection::full() const { return out_.size() + stream_.kept() >= high_water; }
const std::string& HttpConnection::date() { return server_->date(); }

std::optional<Address> HttpConnection::remote_address() const { return to_address(uv::peer_name(stream_.descriptor())); }

void HttpConnection::set_deadline(std::optional<std::chrono::milliseconds> after) {
  deadline_ = after ? server_->loop->loop.now() + static_cast<std::uint64_t>(after->count()) : 0;
}

void HttpConnection::handle_read(std::string_view bytes) {
  if (phase_ != Phase::open) return;
  // The time for a head runs from its first byte, and not while the client still takes its last response.
  if (!exchange_ && !head_begun_ && !unsent()) await_head();
  reader_.feed(bytes);
  process();
  reader_.detach();
}

void HttpConnection::await_head() {
  head_begun_ = true;
  set_deadline(server_->options.headers_timeout);
}

void HttpConnection::process() {
  if (std::exchange(processing_, true)) return;
  while (phase_ == Phase::open) {
    if (exchange_ && exchange_->request_ended) {
      exchange_->tell_end(server_->loop->loop);
      if (!exchange_->response_ended) break;
      finish_exchange();
      continue;
    }
    // Wait for somebody to take the body, or for a slow client to take its responses before the next.
    if (exchange_ ? exchange_->head->has_body && !exchange_->takes_body() && !exchange_->response_ended : full()) break;
    http1::RequestReader::Event event = reader_.next();
    if (std::holds_alternative<http1::RequestReader::NeedMore>(event)) {
      // What is read now is half a request, whose rest will not come.
      if (peer_ended_) {
        lose_exchange();
        leave();
      }
      break;
    }
    if (auto* head = std::get_if<http1::RequestReader::Head>(&event)) {
      begin(std::move(head->head));
    } else if (const auto* body = std::get_if<http1::RequestReader::Body>(&event)) {
      const auto exchange = exchange_;
      if (exchange->takes_body()) exchange->data.emit(server_->loop->loop, body->bytes);
    } else if (std::holds_alternative<http1::RequestReader::End>(event)) {
      exchange_->request_ended = true;
      set_deadline({});
    } else {
      refuse(std::get<http1::RequestReader::Bad>(event).status);
    }
  }
  processing_ = false;
  update_reading();
}

void HttpConnection::begin(std::unique_ptr<http1::RequestHead> head) {
  head_begun_ = false;
  set_deadline(server_->options.request_timeout);
  ++server_->loop->counts.requests;
  exchange_ = std::make_shared<HttpExchange>(*this, std::move(head));
  if (const auto timeout = server_->options.keep_alive_timeout) {
    exchange_->writer.keep_alive_seconds =
        static_cast<unsigned>(std::chrono::duration_cast<std::chrono::seconds>(*timeout).count());
  }
  const http1::RequestHead& request_head = *exchange_->head;
  if (request_head.expectation == http1::Expectation::to_continue && request_head.has_body) {
    output() += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  const auto keep = exchange_;
  if (request_head.expectation == http1::Expectation::unknown) {
    keep->writer.set_status(417);
    return keep->end({});
  }
  auto request = Access::make<http::Request>(keep);
  auto response = Access::make<http::Response>(keep);
  server_->request.emit(server_->loop->loop, request, response);
}

void HttpConnection::refuse(int status) {
  if (!exchange_ || !exchange_->writer.head_written()) {
    std::string& out = output();
    out += "HTTP/1.1 " + std::to_string(status) + " ";
    out += http1::reason_phrase(status);
    out += "\r\nConnection: close\r\n\r\n";
  }
  leave();
  lose_exchange();
}

void HttpConnection::lose_exchange() {
  const auto lost = std::exchange(exchange_, nullptr);
  if (!lost) return;
  lost->connection = nullptr;
  if (lost->response_ended) return lost->forget_request_listeners();
  server_->loop->loop.emit([lost, &loop = server_->loop->loop] {
    lost->aborted.emit(loop);
    lost->closed.emit(loop);
    lost->forget_request_listeners();
    lost->forget_response_listeners();
  });
}

void HttpConnection::leave() {
  if (phase_ != Phase::open) return;
  phase_ = Phase::leaving;
  set_deadline({});
  stream_.stop_reading();
  output();  // handle_drained() follows
}

void HttpConnection::process_later() {
  if (std::exchange(process_queued_, true)) return;
  server_->loop->loop.next_tick([this, keep = shared_from_this()] {
    process_queued_ = false;
    process();
  });
}

std::string& HttpConnection::output() {
  server_->loop->loop.at_end_of_turn(*this);
  return out_;
}

bool HttpConnection::flowing() {
  backed_up_ |= full();
  return !full();
}

void HttpConnection::response_ended() {
  unsent_.push_back(exchange_);
  if (!processing_) process_later();
}

void HttpConnection::wants_body() {
  if (!processing_) process_later();
}

void HttpConnection::finish_exchange() {
  const auto done = std::exchange(exchange_, nullptr);
  done->connection = nullptr;
  done->forget_request_listeners();
  // A client that was promised the connection may have its next request on its way. While the worker leaves there is time for
  // that: the next answer takes the promise back.
  if (!done->writer.keep_alive() || (closing() && !server_->leaving() && reader_.idle())) leave();
}

void HttpConnection::update_reading() {
  if (phase_ != Phase::open) return;
  // While nobody takes what comes, it stays with the system, and the client feels it. One read ahead is
  // needed to notice that a client has gone.
  const bool takes = reader_.idle() || (exchange_ ? exchange_->takes_body() || exchange_->response_ended : !full());
  if (takes && !peer_ended_) {
    stream_.start_reading();
  } else {
    stream_.stop_reading();
  }
}

void HttpConnection::end_of_turn() {
  if (phase_ == Phase::closed) return;
  const bool written = out_.empty() ? stream_.kept() == 0 : stream_.write(out_);
  out_.clear();
  if (out_.capacity() > high_water) out_.shrink_to_fit();
  if (written) handle_drained();
}

void HttpConnection::handle_drained() {
  if (phase_ == Phase::closed || !out_.empty()) return;
  for (const auto& sent : std::exchange(unsent_, {})) {
    sent->finished.emit(server_->loop->loop);
    sent->forget_response_listeners();
  }
  if (std::exchange(backed_up_, false) && exchange_) exchange_->drained.emit(server_->loop->loop);
  // A listener may have written more, or closed the server.
  if (phase_ == Phase::closed || unsent()) return;
  if (phase_ == Phase::open) {
    if (exchange_) return;
    if (reader_.idle()) {
      set_deadline(server_->options.keep_alive_timeout);
    } else {
      await_head();
    }
    process();
  } else if (peer_ended_) {
    close();
  } else if (phase_ == Phase::leaving) {
    phase_ = Phase::lingering;
    set_deadline(linger_time);
    stream_.end();
    stream_.start_reading();
  }
}

void HttpConnection::handle_end() {
  peer_ended_ = true;
  if (phase_ == Phase::lingering) return close();
  if (exchange_ && exchange_->request_ended) return;  // it waits for its answer
  process();
}

void HttpConnection::handle_finished() {}

void HttpConnection::handle_error(int, const char*) { close(); }

void HttpConnection::close_if_idle() {
  if (phase_ != Phase::open || exchange_ || !reader_.idle()) return;
  if (unsent()) {
    leave();
  } else {
    close();
  }
}

bool HttpConnection::answering() const { return exchange_ && exchange_->request_ended && !exchange_->response_ended; }

void HttpConnection::close_if_overdue(std::uint64_t now) {
  if (phase_ == Phase::closed || deadline_ == 0 || now < deadline_) return;
  if (phase_ == Phase::lingering || (!exchange_ && reader_.idle())) return close();
  refuse(408);
}

void HttpConnection::close() {
  if (std::exchange(phase_, Phase::closed) == Phase::closed) return;
  const auto keep = shared_from_this();
  stream_.close();
  server_->remove(*this);
  server_->loop->release(*this);
  lose_exchange();
  for (const auto& lost : std::exchange(unsent_, {})) {
    server_->loop->loop.emit([lost, &loop = server_->loop->loop] {
      lost->closed.emit(loop);
      lost->forget_response_listeners();
    });
  }
  server_->server->connection_closed();
}

void HttpConnection::abandon() {
  if (std::exchange(phase_, Phase::closed) == Phase::closed) return;
  stream_.close();
  server_->remove(*this);
  if (exchange_) unsent_.push_back(std::exchange(exchange_, nullptr));
  for (const auto& lost : std::exchange(unsent_, {})) {
    lost->connection = nullptr;
    lost->forget_request_listeners();
    lost->forget_response_listeners();
  }
}

}  // namespace muster::detail
