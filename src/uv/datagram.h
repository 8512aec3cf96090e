// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <muster/function.h>
#include "core/wire.h"
#include "os/fd.h"
#include "uv/fd_watch.h"
#include "uv/loop.h"

namespace muster::uv {

// A UDP socket: receives datagrams while it is open, and sends them, keeping what the system does not take at once.
class Datagram {
 public:
  class Client {
   public:
    virtual void handle_datagram(std::string_view bytes, const core::wire::SocketName& from) = 0;
    virtual void handle_receive_error(int error_number) = 0;

   protected:
    ~Client() = default;
  };
  // Gets an errno, 0 for success. Not from inside send().
  using Done = Function<void(int error_number)>;

  Datagram(Loop& loop, OwnedFd socket, Client& client);
  // Where it cannot be watched, an errno; then nothing comes.
  int error() const { return error_; }

  // To a numeric address, or the connected peer.
  void send(std::string bytes, std::optional<std::string> address, int port, Done done);
  int descriptor() const { return socket_.get(); }
  void ref() { watch_.ref(); }
  void unref() { watch_.unref(); }

 private:
  struct Kept {
    std::string bytes;
    std::optional<std::string> address;
    int port;
    Done done;
  };

  void handle_ready(std::uint32_t events);
  void receive();
  void send_kept();
  void watch();

  Loop& loop_;
  OwnedFd socket_;
  Client& client_;
  FdWatch watch_;
  int error_ = 0;
  std::deque<Kept> kept_;
  // Stands for "this object still exists" while a handler runs.
  std::shared_ptr<Datagram*> self_ = std::make_shared<Datagram*>(this);
};

}  // namespace muster::uv
