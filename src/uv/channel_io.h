// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <array>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <muster/function.h>
#include "core/channel.h"
#include "os/fd.h"
#include "uv/fd_table.h"
#include "uv/fd_watch.h"
#include "uv/loop.h"
#include "uv/timer.h"

namespace muster::uv {

// Carries a core::Channel over a Unix socket: recvmsg(2) and sendmsg(2) with descriptors. What is sent
// in one turn of the loop is written at its end.
class ChannelIo final : private Loop::EndOfTurn {
 public:
  // Gets every event but Released, which is seen to here, and may take from it what it wants. It must not destroy the
  // ChannelIo.
  using Handler = Function<void(core::Channel::Event&)>;

  ChannelIo(Loop& loop, FdTable& fds, OwnedFd socket, core::Channel channel, Handler handler);
  ~ChannelIo();

  bool connected() const { return channel_.connected(); }
  core::wire::Dialect dialect() const { return channel_.dialect(); }
  core::Channel::SendResult send(core::Channel::Outgoing&& message);
  void offer(std::uint64_t first, std::vector<core::FdToken> connections, std::string_view key);
  bool backed_up() const { return channel_.backed_up(); }
  bool disconnect();
  // Reads what the peer has written so far, to its end if that is there, and calls back: at once, unless a message has to be
  // decoded first.
  void read_all(Function<void()> done);
  // Writes what can be written at once.
  void flush();
  // Whether the channel keeps the loop alive. It does from the start.
  void ref() { watch_.ref(); }
  void unref() { watch_.unref(); }

 private:
  void end_of_turn() override { flush(); }
  void handle_ready(std::uint32_t events);
  // How many bytes came; 0 when there is nothing to read now, or ever.
  std::size_t read_once();
  void read_rest();
  void decode_apart(core::FrameReader::Kept frame);
  void write_out();
  // False when one of the descriptors is gone, and the output is another now. `control` has room for all of them.
  bool attach(std::span<const core::FdToken> descriptors, msghdr& message, char* control);
  void pump();
  void watch();
  // Tries again after a while, where the system has no room for what is to be read or written.
  void pause();
  // Later: the channel fails with this errno, unless what the peer wrote ends it.
  void fail_later(int error_number);
  // Starts those of the channel's timers that are not started.
  void start_timers();
  void handle_timeout(core::Channel::Timer timer);
  void close();

  Loop& loop_;
  FdTable& fds_;
  OwnedFd socket_;
  core::Channel channel_;
  Handler handler_;
  FdWatch watch_;
  std::array<std::unique_ptr<Timer>, core::Channel::timers.size()> timers_;
  std::unique_ptr<Timer> pause_;
  bool decoding_ = false;  // in a thread; nothing is read meanwhile
  std::vector<Function<void()>> when_read_;
  std::size_t rest_ = 0;      // to be read before those
  bool wants_write_ = false;  // the system's buffer is full
  std::size_t brought_ = 0;   // descriptors, while too many wait to be closed
  bool broken_ = false;       // the peer does not read; what it wrote is still to be read
  // Stands for "this object still exists" in ticks.
  std::shared_ptr<ChannelIo*> self_ = std::make_shared<ChannelIo*>(this);
};

}  // namespace muster::uv
