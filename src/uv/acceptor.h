#pragma once

#include <uv.h>

#include <memory>
#include <optional>
#include <string>

#include <muster/function.h>
#include "kernel/accept_counters.h"
#include "kernel/fd.h"
#include "uv/loop.h"
#include "uv/timer.h"
#include "uv/uv_handle.h"

namespace muster::uv {

// Accepts connections on a bound socket, a batch at each wake-up.
class Acceptor {
 public:
  // Gets each connection, non-blocking and close-on-exec. It may destroy the Acceptor.
  using Handler = Function<void(OwnedFd)>;

  // `unlink_path`: the file of a Unix socket, removed when the Acceptor goes.
  Acceptor(Loop& loop, OwnedFd socket, Handler handler, std::string unlink_path = {});
  ~Acceptor();

  // listen(2) and the start of accepting. Returns an errno, 0 for success. 0 for the backlog means 511.
  int start(int backlog);
  // Counts what it accepts for a program in the kernel that deals to this socket. Which counts a client that never finishes its
  // handshake as waiting until somebody looks, so it is looked every second.
  void count(kernel::AcceptCounters counters);
  // Accepts what the system has queued, so that closing the socket refuses nobody who is there already.
  void accept_queued();
  int descriptor() const { return socket_.get(); }
  // Whether it keeps the loop alive. It does from the start.
  void ref();
  void unref();

 private:
  void accept(int most);
  void shed_one();

  Loop& loop_;
  OwnedFd socket_;
  Handler handler_;
  std::string unlink_path_;
  std::unique_ptr<UvHandle<uv_poll_t>> poll_;
  std::optional<kernel::AcceptCounters> counters_;
  std::unique_ptr<Timer> look_;
  bool ref_ = true;
};

}  // namespace muster::uv
