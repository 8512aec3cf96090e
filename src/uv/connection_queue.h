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

// The primary's side of a worker's queue of connections: a socket pair of which it keeps both ends. What it sends lies in the
// system until the worker reads it, which can be seen, and undone by whoever is first.
class ConnectionQueue {
 public:
  // Null when the system has none left. `window`: how many connections it is to have room for. `on_news`: after await_room()
  // or ask_for_life(), that the worker reads; it must not destroy the queue.
  static std::unique_ptr<ConnectionQueue> create(Loop& loop, std::size_t window, Function<void()> on_news);

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
  // What it has not read, the oldest first; invalid for a question. It counts as never sent.
  std::vector<OwnedFd> drain();
  void await_room();
  void ask_for_life();

 private:
  ConnectionQueue(Loop& loop, OwnedFd writer, OwnedFd reader, Function<void()> on_news);

  void watch();
  void handle_ready(std::uint32_t events);

  OwnedFd writer_, reader_;
  Function<void()> on_news_;
  FdWatch watch_;
  std::uint64_t sent_ = 0;
  std::uint64_t question_ = 0;  // how many messages are read when the last is
  bool awaits_room_ = false, awaits_life_ = false;
};

}  // namespace muster::uv
