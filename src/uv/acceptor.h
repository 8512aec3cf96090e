// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>

#include <muster/function.h>
#include "kernel/accept_counters.h"
#include "os/fd.h"
#include "os/socket_file.h"
#include "uv/fd_watch.h"
#include "uv/loop.h"
#include "uv/timer.h"

namespace muster::uv {

// Accepts connections on a bound socket, a batch at each wake-up.
class Acceptor {
 public:
  // Gets each connection, non-blocking and close-on-exec. It may destroy the Acceptor.
  using Handler = Function<void(OwnedFd)>;

  // `file`: of a Unix socket, removed when the Acceptor goes.
  Acceptor(Loop& loop, OwnedFd socket, Handler handler, os::SocketFile file = {});
  ~Acceptor();

  // listen(2) and the start of accepting. Returns an errno, 0 for success. 0 for the backlog means 511.
  int start(int backlog);
  // Counts what it accepts for a program in the kernel that deals to this socket. The kernel counts a client that never
  // finishes its handshake as waiting until the queue is looked at, so it is looked at every second.
  void count(kernel::AcceptCounters counters);
  // Accepts what the system has queued, so that closing the socket refuses nobody who is there already.
  void accept_queued();
  int descriptor() const { return socket_.get(); }
  // Whether it is a Unix socket.
  bool is_unix() const { return local_; }
  // Whether it keeps the loop alive. It does from the start.
  void ref() { watch_.ref(); }
  void unref() { watch_.unref(); }

 private:
  void accept(int most);
  // False when there is no descriptor left to accept it with.
  bool shed_one();
  void pause();

  Loop& loop_;
  OwnedFd socket_;
  const bool local_;  // a Unix socket: clients may send descriptors
  Handler handler_;
  os::SocketFile file_;
  FdWatch watch_;
  std::optional<kernel::AcceptCounters> counters_;
  std::unique_ptr<Timer> look_;
  std::unique_ptr<Timer> pause_;
  // Stands for "this object still exists" while the handler runs.
  std::shared_ptr<Acceptor*> self_ = std::make_shared<Acceptor*>(this);
};

}  // namespace muster::uv
