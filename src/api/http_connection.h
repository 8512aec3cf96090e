// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "api/emitter.h"
#include "api/http_server.h"
#include "api/loop_state.h"
#include "http1/request_reader.h"
#include "http1/response_writer.h"
#include "uv/stream.h"

namespace muster::detail {

class HttpConnection;

// Behind a Request and its Response. The program may keep it longer than the connection lasts.
class HttpExchange final : public std::enable_shared_from_this<HttpExchange> {
 public:
  HttpExchange(HttpConnection& connection, std::unique_ptr<http1::RequestHead> head);

  Subscription on_data(Listener<std::string_view> listener);
  Subscription on_end(Listener<> listener);
  void pause(bool paused);
  bool takes_body() const { return !paused_ && !data.empty(); }
  // Tells the request's end, once, when there is somebody who wants to hear it.
  void tell_end(uv::Loop& loop);
  // Nothing more will be told: of the request, of the response.
  void forget_request_listeners();
  void forget_response_listeners();

  void set_header(std::string_view name, std::string_view value);
  bool write(std::string_view body);
  void end(std::string_view body);

  HttpConnection* connection;  // null when it is lost, or done with this
  std::unique_ptr<http1::RequestHead> head;
  http1::ResponseWriter writer;
  bool request_ended = false;
  bool response_ended = false;

  Emitter<std::string_view> data;
  Emitter<> ended;
  Emitter<> aborted;
  Emitter<> drained;
  Emitter<> finished;
  Emitter<> closed;

 private:
  bool paused_ = false;
  bool end_told_ = false;
};

// One connection of an HTTP server: reads requests, one after the other, and writes their responses in
// that order. The next request is not looked at before the last one is answered.
class HttpConnection final : public Resource, private uv::Stream::Client, private uv::Loop::EndOfTurn {
 public:
  HttpConnection(std::shared_ptr<HttpServerState> server, OwnedFd socket);
  ~HttpConnection() override;

  void start();
  void abandon() override;

  // From the exchange in progress.
  // Where its response goes; written when the turn ends.
  std::string& output();
  // Whether more may be written; `drain` follows where not.
  bool flowing();
  // Whether no request will be read after the one in progress.
  bool closing() const;
  const std::string& date();
  void response_ended();
  void wants_body();
  std::optional<Address> remote_address() const;

  // From the server.
  void close_if_idle();
  void close_if_overdue(std::uint64_t now);
  // Whether the program has a request of it, whole, and has not answered.
  bool answering() const;
  // At once.
  void close();
  std::list<HttpConnection*>::iterator place;

 private:
  void process();
  void process_later();
  void begin(std::unique_ptr<http1::RequestHead> head);
  void finish_exchange();
  void refuse(int status);
  // The exchange in progress will not be completed.
  void lose_exchange();
  // No more requests: closes when everything is with the system.
  void leave();
  bool unsent() const { return out_.size() + stream_.kept() > 0; }
  bool full() const;
  void update_reading();
  void set_deadline(std::optional<std::chrono::milliseconds> after);
  // From the first byte of a request to the end of its head, however many empty lines come before.
  void await_head();
  void end_of_turn() override;

  void handle_read(std::string_view bytes) override;
  void handle_end() override;
  void handle_drained() override;
  void handle_finished() override;
  void handle_error(int error_number, const char* syscall) override;

  // `leaving`: no request is read any more, and the connection closes when everything is with the system.
  // `lingering`: what the client still sends is read and dropped until it closes too, so that the system
  // does not reset the connection under the response.
  enum class Phase { open, leaving, lingering, closed };

  std::shared_ptr<HttpServerState> server_;
  uv::Stream stream_;
  http1::RequestReader reader_;
  std::shared_ptr<HttpExchange> exchange_;             // in progress
  std::vector<std::shared_ptr<HttpExchange>> unsent_;  // ended, and not with the system yet
  std::string out_;
  Phase phase_ = Phase::open;
  bool processing_ = false;
  bool process_queued_ = false;
  bool peer_ended_ = false;
  bool head_begun_ = false;     // the time for it runs
  bool backed_up_ = false;      // somebody waits for `drain`
  std::uint64_t deadline_ = 0;  // 0: none
};

}  // namespace muster::detail
