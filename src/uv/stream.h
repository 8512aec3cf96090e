// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "os/fd.h"
#include "uv/loop.h"
#include "uv/poller.h"

namespace muster::uv {

// A connected stream socket: reads while it is told to, writes what it can at once and keeps the rest.
class Stream final : private Poller::Client {
 public:
  // Called in a turn of the loop. None of them may destroy the Stream.
  class Client {
   public:
    virtual void handle_read(std::string_view bytes) = 0;
    // The peer will send no more.
    virtual void handle_end() = 0;
    // All that was kept is written. Follows a write() that returned false.
    virtual void handle_drained() = 0;
    // end() is done: everything is written, and the peer is told that no more comes.
    virtual void handle_finished() = 0;
    // The connection is broken; nothing follows.
    virtual void handle_error(int error_number, const char* syscall) = 0;

   protected:
    ~Client() = default;
  };

  Stream(Loop& loop, OwnedFd socket, Client& client);
  ~Stream();

  void start_reading();
  void stop_reading();
  // Returns false when bytes had to be kept: wait for handle_drained() with more.
  bool write(std::string_view bytes);
  // No more writes; shuts the sending side down when everything is written.
  void end();
  // At once; what was kept is lost.
  void close();
  bool open() const { return static_cast<bool>(socket_); }
  std::size_t kept() const { return kept_.size() - kept_written_; }
  std::uint64_t bytes_written() const { return bytes_written_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  int descriptor() const { return socket_.get(); }
  // Takes the socket out, for another owner. Nothing may be kept.
  OwnedFd release();
  void ref();
  void unref();

 private:
  void handle_ready(std::uint32_t events) override;
  void read_some(std::uint32_t events);
  void write_kept();
  // Sends from the front of `bytes`; returns how many went. Breaks the stream on an error.
  std::size_t send_some(std::string_view bytes);
  // Nothing is read or written any more.
  void break_off();
  // Tells so in a tick: it may be the program that calls.
  void fail(int error_number, const char* syscall);
  // Stands for "this object still exists" in ticks.
  std::weak_ptr<Stream*> alive();
  void finish();
  OwnedFd take();
  // Has the poller tell what is ready, also what it has told already.
  void ask();
  void hold_loop();

  Loop& loop_;
  OwnedFd socket_;
  bool is_pipe_ = false;  // a worker's output, which it cannot send descriptors by
  Client& client_;
  bool watched_ = false;
  bool reading_ = false;
  bool unread_ = false;  // the poller has told of something that is not read
  bool ending_ = false;
  bool failed_ = false;
  bool ref_ = true;
  bool holds_loop_ = false;
  std::string kept_;
  std::size_t kept_written_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::shared_ptr<Stream*> self_;  // made by alive()
};

}  // namespace muster::uv
