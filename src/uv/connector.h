#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>

#include <muster/function.h>
#include "kernel/fd.h"
#include "uv/loop.h"
#include "uv/uv_handle.h"

namespace muster::uv {

// Connects a stream socket, to a port or a path, without waiting.
class Connector {
 public:
  // Gets the connection, or an errno. Not from inside the constructor.
  using Handler = Function<void(OwnedFd, int error_number)>;

  Connector(Loop& loop, const std::string& host_or_path, std::optional<int> port, Handler handler);

 private:
  void finish(int error_number);

  Loop& loop_;
  Handler handler_;
  OwnedFd socket_;
  std::unique_ptr<UvHandle<uv_poll_t>> poll_;
  std::shared_ptr<Connector*> self_ = std::make_shared<Connector*>(this);
};

}  // namespace muster::uv
