// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "os/fd.h"

namespace muster::uv {

class Loop;

// Watches many descriptors: one epoll of our own. A uv_poll_t for each would cost a connection four epoll_ctl(2) and an
// ioctl(2) more, and libuv ends the process where epoll_ctl(2) fails.
//
// Connections are edge-triggered: what is ready is told once, and again when more comes or when watch() asks again. So nothing
// needs to be changed for a socket that is not read for a while. What is always read is level-triggered.
class Poller {
 public:
  class Client {
   public:
    // Called in a turn of the loop, with EPOLLIN and its like. It may forget and destroy anything, itself included.
    virtual void handle_ready(std::uint32_t events) = 0;

   protected:
    ~Client() = default;
  };

  enum class Trigger { edge, level };

  explicit Poller(Loop& loop);
  // Ready when there is something to tell.
  int descriptor() const { return epoll_.get(); }

  // Tells of these events from now on, and of what is ready already; also for a socket that is watched. Returns an errno.
  int watch(int fd, std::uint32_t events, Client& client, Trigger trigger = Trigger::edge);
  // Before the descriptor is closed or given away.
  void forget(int fd);

  // Waits so long, in milliseconds (-1: as long as it takes), and tells what is ready.
  void tell_ready(int timeout);
  // Whether something was watched anew since tell_ready().
  bool asked() const { return asked_; }

 private:
  // Who watches a descriptor. An event of an earlier one, of which there may be some in the batch at hand, has another number.
  struct Entry {
    Client* client = nullptr;
    std::uint32_t number = 0;
  };

  Loop& loop_;
  OwnedFd epoll_;
  bool asked_ = false;
  std::vector<Entry> entries_;  // by descriptor
  std::uint32_t last_number_ = 0;
};

}  // namespace muster::uv
