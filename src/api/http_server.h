// SPDX-License-Identifier: MIT
#pragma once

#include <ctime>
#include <list>
#include <memory>
#include <string>

#include <muster/http.h>
#include "api/server_state.h"
#include "uv/timer.h"

namespace muster::detail {

class HttpConnection;

// Behind an http::Server: what its connections share.
class HttpServerState final : public Reusable, public std::enable_shared_from_this<HttpServerState> {
 public:
  static std::shared_ptr<HttpServerState> make(Cluster& cluster, const http::ServerOptions& options);

  HttpServerState(LoopState& loop, const http::ServerOptions& options) : loop(loop.shared_from_this()), options(options) {}

  void drop_listeners() override {
    server->drop_listeners();
    request.clear();
  }

  void add(HttpConnection& connection);
  void remove(HttpConnection& connection);
  bool closing() const { return server->closing(); }
  bool leaving() const { return server->leaving(); }
  // For the Date header; made once a second.
  const std::string& date();

  const std::shared_ptr<LoopState> loop;
  const http::ServerOptions options;
  Emitter<http::Request&, http::Response&> request;
  std::shared_ptr<ServerState> server;

 private:
  // Closes the oldest of those that wait, when there are too many.
  void make_room();
  void close_idle();
  void close_overdue();
  std::chrono::milliseconds check_interval() const;

  std::list<HttpConnection*> connections_;
  std::unique_ptr<uv::Timer> overdue_;
  std::time_t date_time_ = -1;
  std::string date_;
};

}  // namespace muster::detail
