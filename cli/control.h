// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include <muster/cluster.h>
#include <muster/loop.h>
#include <muster/net.h>
#include <nlohmann/json.hpp>

#include "os/socket_file.h"

namespace muster::cli {

// Where a primary is told what to do: a Unix socket that only its user (and root) may use. A client sends one line of JSON,
// {"command": "reload"}, and gets lines: {"text": ...} and the like while it goes on, and at the end one with "ok".
class ControlServer {
 public:
  // Who asked. A handle: may be kept until the answer is known.
  class Client {
   public:
    explicit Client(net::Socket socket) : socket_(std::move(socket)) {}
    // Another line. False when it is gone, or takes nothing.
    bool tell(const nlohmann::json& line);
    void succeed(nlohmann::json answer = nlohmann::json::object());
    void fail(const std::string& why);
    void on_gone(Function<void()> gone);

   private:
    net::Socket socket_;
  };
  using Handler = Function<void(const nlohmann::json& request, Client client)>;
  // What to log: of somebody who was refused.
  using Complaint = Function<void(std::string)>;

  ControlServer(Cluster& cluster, std::string path, Handler handler, Complaint complain);
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  ~ControlServer();

  const std::string& path() const { return path_; }
  // Whether its socket is still where it was made.
  bool is_there() const;

 private:
  void handle(net::Socket socket);

  std::string path_;
  Handler handler_;
  Complaint complain_;
  net::Server server_;
  os::SocketFile file_;
};

// The other side, which waits: for commands that have nothing else to do.
class ControlConnection {
 public:
  // Or why not.
  static std::variant<ControlConnection, std::string> open(const std::string& path, std::chrono::milliseconds patience);
  // Whether a primary listens there, even one that does not answer.
  static bool is_listened_on(const std::string& path);
  ControlConnection(ControlConnection&& other) noexcept;
  ControlConnection& operator=(ControlConnection&&) = delete;
  ~ControlConnection();

  bool send(const nlohmann::json& request);
  // The next line; nothing at the end, and when none came in time.
  std::optional<nlohmann::json> next(std::chrono::milliseconds patience);
  // That there will be none any more.
  bool ended() const { return ended_; }

 private:
  explicit ControlConnection(int fd) : fd_(fd) {}
  int fd_;
  bool ended_ = false;
  std::string received_;
};

}  // namespace muster::cli
