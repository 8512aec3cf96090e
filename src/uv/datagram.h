#pragma once

#include <uv.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <muster/function.h>
#include "core/wire.h"
#include "kernel/fd.h"
#include "uv/loop.h"
#include "uv/uv_handle.h"

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

  // To the connected peer when there is no host.
  void send(std::string bytes, std::optional<std::string> host, int port, Done done);
  int descriptor() const { return socket_.get(); }
  void ref() { poll_->ref(); }
  void unref() { poll_->unref(); }

 private:
  struct Kept {
    std::string bytes;
    std::optional<std::string> host;
    int port;
    Done done;
  };

  void handle_poll(int events);
  void receive();
  void send_kept();
  void watch();

  Loop& loop_;
  OwnedFd socket_;
  Client& client_;
  std::unique_ptr<UvHandle<uv_poll_t>> poll_;
  std::deque<Kept> kept_;
  // Stands for "this object still exists" while a handler runs.
  std::shared_ptr<Datagram*> self_ = std::make_shared<Datagram*>(this);
};

}  // namespace muster::uv
