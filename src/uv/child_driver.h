// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <system_error>

#include "core/child.h"
#include "kernel/load_board.h"
#include "uv/channel_io.h"
#include "uv/fd_table.h"
#include "uv/loop.h"
#include "uv/user_message.h"

namespace muster::uv {

// Does what a core::Child asks for, and tells it what comes from the primary.
class ChildDriver final : private Loop::BeforeWait {
 public:
  // What the program's side gets to hear, in order. Called when the core is at rest. It must not destroy the driver, but
  // close() it, and destroy it when the turn is over.
  class Sink {
   public:
    virtual void handle_event(core::ChildEvent event) = 0;
    virtual void handle_message(UserMessage&& message) = 0;
    virtual void handle_socket_list(core::wire::SocketListMessage message) = 0;
    virtual void handle_sent(core::SendId id, std::error_code error) = 0;
    virtual void handle_error(Error error) = 0;
    // The worker is to end, after everything that was told before.
    virtual void handle_exit(int code) = 0;

   protected:
    ~Sink() = default;
  };

  // All but the socket outlive the driver.
  ChildDriver(Loop& loop, core::Child& child, Sink& sink, OwnedFd socket, Serialization serialization);
  ~ChildDriver() { loop_.forget(static_cast<BeforeWait&>(*this)); }

  // From now on it performs no effect and reports nothing.
  void close() { closed_ = true; }
  // Does what the core has asked for by now. After every command to the core.
  void perform();

  bool connected() const { return channel_.connected(); }
  // process.disconnect(). False when it was disconnected already.
  bool disconnect();
  // Throws what send_user_message() does.
  core::Channel::SendResult send(UserMessage&& message, std::optional<core::SendId> id);
  void send(const core::wire::SocketListMessage& message);
  void ref_channel(bool ref);
  // The descriptor an event named, for the program's side to own.
  OwnedFd take(core::FdToken token) { return fds_.take(token); }

 private:
  void perform(core::SendToPrimary send);
  void perform(core::AnswerOffers answer);
  void perform(core::MapBoard map);
  void perform(core::DisconnectPrimary);
  void perform(core::CloseDescriptor close);
  void perform(core::Exit exit);
  void perform(core::ChildEvent event);
  void handle_channel(core::Channel::Event& event);
  void handle_offered(const core::Channel::Offered& offered);
  // Answers for offers before the loop waits again, not at once: their requests are read by then. So if this process is killed
  // in between, the primary still has the connections that were not touched, and deals them again.
  void answer_later() { loop_.before_wait(*this); }
  void before_wait() override { answer_offers(); }
  void answer_offers();

  Loop& loop_;
  core::Child& child_;
  Sink& sink_;
  Serialization serialization_;
  bool closed_ = false;
  FdTable fds_;
  std::optional<kernel::LoadBoard> board_;
  ChannelIo channel_;
};

}  // namespace muster::uv
