// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "api/remote_sockets.h"

namespace muster::detail {

// Where the connection in a Handle comes from.
class HandleOrigin {
 public:
  virtual ~HandleOrigin() = default;

  // What the server that accepted it is called on a channel; empty when that is not a server of this process.
  virtual std::string key() const { return {}; }
  virtual void sent_through(const std::shared_ptr<RemoteSockets>&) {}
};

// A connection that another process's server accepted. It is open here as long as this lives.
class ReceivedConnection final : public HandleOrigin {
 public:
  ReceivedConnection(std::weak_ptr<RemoteSockets> list, std::string server)
      : list_(std::move(list)), server_(std::move(server)) {
    if (const auto channel = list_.lock()) channel->handle_arrived(server_);
  }
  ReceivedConnection(const ReceivedConnection&) = delete;
  ReceivedConnection& operator=(const ReceivedConnection&) = delete;
  ~ReceivedConnection() override {
    if (const auto channel = list_.lock()) channel->handle_closed(server_);
  }

 private:
  std::weak_ptr<RemoteSockets> list_;
  std::string server_;
};

}  // namespace muster::detail
