// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <muster/function.h>
#include "core/ids.h"
#include "os/fd.h"
#include "uv/fd_watch.h"
#include "uv/loop.h"

namespace muster::uv {

// The primary's side of a worker's queue of connections: a socket pair of which it keeps both ends. What it sends stays in the
// kernel until the worker reads it. Until then the primary can count it and read it back.
class ConnectionQueue {
 public:
  // Null when the system has none left. `window`: how many connections it has room for. `on_progress` runs after await_room()
  // or ping(), when the worker has read; it must not destroy the queue.
  static std::unique_ptr<ConnectionQueue> create(Loop& loop, std::size_t window, Function<void()> on_progress);

  // The worker's end, for it to be started with.
  int reader() const { return reader_.get(); }

  struct Sent {
    std::size_t count = 0;
    int error = 0;  // why it is not all of them
  };
  // They stay the caller's.
  Sent send(core::QueueNumber listener, std::span<const int> connections);
  // How many messages the worker has read.
  std::uint64_t read() const;
  // What it has not read, the oldest first; invalid for a ping. It counts as never sent.
  std::vector<OwnedFd> drain();
  void await_room();
  // An empty message, which the worker answers when it reads again. False when it could not be sent, or the answer not watched.
  bool ping();

 private:
  ConnectionQueue(Loop& loop, OwnedFd writer, OwnedFd reader, Function<void()> on_progress);

  bool watch();
  void handle_ready(std::uint32_t events);

  OwnedFd writer_, reader_;
  Function<void()> on_progress_;
  FdWatch watch_;
  std::uint64_t sent_ = 0;
  std::uint64_t ping_ = 0;  // read() when the last ping is read
  bool awaits_room_ = false, awaits_pong_ = false;
};

}  // namespace muster::uv
