#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "os/fd.h"
#include "uv/uv_handle.h"

namespace muster::uv {

class Loop;

// Watches many sockets: one epoll of our own, which libuv watches. A uv_poll_t for each would cost a connection four
// epoll_ctl(2) and an ioctl(2) more.
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

  // Tells of these events from now on, and of what is ready already; also for a socket that is watched. Returns an errno.
  int watch(int fd, std::uint32_t events, Client& client, Trigger trigger = Trigger::edge);
  // Before the descriptor is closed or given away.
  void forget(int fd);

  // How many keep the loop alive.
  void hold_loop();
  void release_loop();

 private:
  // Who watches a descriptor. An event of an earlier one, of which there may be some in the batch at hand, has another number.
  struct Entry {
    Client* client = nullptr;
    std::uint32_t number = 0;
  };

  void tell_ready();

  Loop& loop_;
  OwnedFd epoll_;
  std::unique_ptr<UvHandle<uv_poll_t>> poll_;
  // After what libuv had to tell: a new connection has often brought its request already, and that need not wait for another
  // turn.
  std::unique_ptr<UvHandle<uv_check_t>> check_;
  bool asked_ = false;          // since we last looked
  std::vector<Entry> entries_;  // by descriptor
  std::uint32_t last_number_ = 0;
  int holders_ = 0;
};

}  // namespace muster::uv
