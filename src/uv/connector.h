// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <muster/function.h>
#include "os/fd.h"
#include "uv/fd_watch.h"
#include "uv/loop.h"

namespace muster::uv {

// Connects a stream socket, to a port or a path, without waiting.
class Connector {
 public:
  // Gets the connection, or an errno. Not from inside the constructor. It may destroy the Connector.
  using Handler = Function<void(OwnedFd, int error_number)>;

  Connector(Loop& loop, const std::string& host_or_path, std::optional<int> port, Handler handler);

 private:
  void start(const std::string& host_or_path, std::optional<int> port);
  void finish_later(int error_number);
  void finish(int error_number);

  Loop& loop_;
  Handler handler_;
  OwnedFd socket_;
  FdWatch watch_;
  std::shared_ptr<Connector*> self_ = std::make_shared<Connector*>(this);
};

}  // namespace muster::uv
