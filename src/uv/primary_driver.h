// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "core/primary.h"
#include "kernel/dispatch_group.h"
#include "kernel/load_board.h"
#include "uv/acceptor.h"
#include "uv/channel_io.h"
#include "uv/child_process.h"
#include "uv/connection_queue.h"
#include "uv/fd_table.h"
#include "uv/loop.h"
#include "uv/socket.h"
#include "uv/timer.h"
#include "uv/user_message.h"

namespace muster::uv {

// Does what a core::Primary asks for, and tells it what happens: processes, channels, listening sockets.
class PrimaryDriver final : private Loop::EndOfTurn {
 public:
  // What the program's side gets to hear, in order. Called when the core is at rest, so it may call in
  // again. It must not destroy the driver, but close() it, and destroy it when the turn is over.
  class Sink {
   public:
    virtual void handle_event(core::PrimaryEvent event) = 0;
    virtual void handle_message(core::WorkerId worker, UserMessage&& message) = 0;
    // In its place with core::wire::UserData::bytes.
    virtual void handle_message(core::WorkerId, UserBytes&&) {}
    virtual void handle_socket_list(core::WorkerId worker, core::wire::SocketListMessage message) = 0;
    virtual void handle_sent(core::SendId id, std::error_code error) = 0;
    // The kernel policy is not to be had, and round robin takes its place.
    virtual void handle_no_kernel(const std::string& why) = 0;
    // Which of these workers is to have the connection; nothing for any. Called while the core is at work: the program's
    // function must not call in.
    virtual std::optional<core::WorkerId> choose(int connection, const std::vector<core::WorkerId>& workers) = 0;

   protected:
    ~Sink() = default;
  };

  // All three outlive the driver.
  PrimaryDriver(Loop& loop, core::Primary& primary, Sink& sink, core::wire::UserData user_data = core::wire::UserData::values);
  ~PrimaryDriver();

  // From now on it performs no effect and reports nothing.
  void close() { closed_ = true; }
  // Does what the core has asked for by now. After every command to the core.
  void perform();

  // Throws what send_user_message() does.
  core::Channel::SendResult send(core::WorkerId worker, UserMessage&& message, std::optional<core::SendId> id);
  core::Channel::SendResult send(core::WorkerId worker, UserBytes&& message, std::optional<core::SendId> id);
  void send(core::WorkerId worker, const core::wire::SocketListMessage& message);
  // How many sockets it accepts connections of.
  std::size_t acceptors() const { return acceptors_.size(); }
  // Writes now what was sent, as far as the system takes it.
  void flush(core::WorkerId worker);
  bool kill(core::WorkerId worker, Signal signal);
  std::vector<std::pair<int, OwnedFd>> take_pipes(core::WorkerId worker);
  void ref_channel(core::WorkerId worker, bool ref);
  void ref_process(core::WorkerId worker, bool ref);

  // A socket that somebody else has bound, with the file that is to be removed with it.
  void adopt(core::Ports::Port port, OwnedFd socket, os::SocketFile file);
  // Copies of the core's kept ports, for another process. Throws std::system_error.
  struct PortCopy {
    std::string name;
    OwnedFd socket = {};
    os::SocketFile file = {};
    bool for_all = false;
    std::optional<core::User> user = {};
  };
  std::vector<PortCopy> copy_ports() const;
  // That one removes the files.
  void leave_files();

 private:
  struct Worker {
    ChildProcess process;
    Serialization serialization;
    std::unique_ptr<ChannelIo> channel = {};
    std::optional<kernel::LoadBoard> board = {};
    std::unique_ptr<ConnectionQueue> queue = {};
    bool exited = false;
    bool disconnected = false;
  };

  // Sockets of one address that the kernel deals to.
  struct Group {
    std::unique_ptr<kernel::DispatchGroup> dispatch;
    std::optional<std::string> address = {};
    std::optional<int> port = {};  // that all are bound to, once the first is
    std::map<core::WorkerId, unsigned> members = {};
  };

  void perform(core::PrimaryEffect effect);
  void perform(core::Spawn spawn);
  void perform(core::SendToWorker send);
  void perform(core::Offer offer);
  void perform(core::RevokeOffer revoke);
  void perform(core::Enqueue enqueue);
  void perform(core::CountUnread count);
  void perform(core::AwaitRoom await);
  void perform(core::DrainQueue drain);
  void perform(core::PingQueue ping);
  void perform(core::ShareBoard share);
  void perform(core::DisconnectWorker disconnect);
  void perform(core::Listen listen);
  void perform(core::StopListening stop);
  void perform(core::AcceptLast accept);
  void perform(core::ClosePort close);
  void perform(core::Join join);
  void perform(core::Part part);
  void perform(core::CloseDescriptor close);
  void perform(core::ProbeConnection probe);
  void perform(core::Rest rest);
  void perform(core::Watch watch);
  void perform(core::Choose choose);
  void perform(core::PrimaryEvent event);

  core::Primary::JoinResult join(Group& group, const core::Join& join);
  core::Primary::ListenResult open(const core::Listen& listen, const std::string& numeric);
  // Does `task` with the query's address in numbers, at once where it is; or reports that it has none.
  void with_address(const core::Listen& listen, Function<void(const std::string& numeric)> task);
  Bound bind(const core::Listen& listen, const std::string& numeric, std::optional<core::BoundSocket>& keep);
  // Whether a descriptor is one of ours, which nobody gave us to listen on.
  bool owns(int fd) const;
  // Gives the core what was accepted in this turn.
  void end_of_turn() override;
  void report_accepted();
  void report_loads(core::ListenerId id);
  // handle_rested() or handle_look(), after a time.
  void call_later(std::map<core::ListenerId, std::unique_ptr<Timer>>& timers, core::ListenerId id, std::uint32_t milliseconds,
                  void (core::Primary::*handle)(core::ListenerId));
  // Null for one that has none.
  ConnectionQueue* queue_of(core::WorkerId id);
  void handle_given_back(core::WorkerId id, core::QueueNumber listener, core::FdToken connection);
  void handle_channel(core::WorkerId id, core::Channel::Event& event);
  void handle_exit(core::WorkerId id, ExitStatus status);
  void forget_if_gone(core::WorkerId id);

  Loop& loop_;
  core::Primary& primary_;
  Sink& sink_;
  core::wire::UserData user_data_;
  FdTable fds_;
  std::map<core::WorkerId, Worker> workers_;
  std::map<core::ListenerId, os::SocketFile> shared_files_;
  std::map<core::ListenerId, std::unique_ptr<Acceptor>> acceptors_;
  core::ListenerId accepted_by_{};
  std::vector<core::Connection> accepted_;  // in this turn
  bool closed_ = false;
  std::map<core::FdToken, os::SocketFile> port_files_;  // of kept ports
  std::map<core::ListenerId, Group> groups_;
  std::map<core::ListenerId, std::unique_ptr<Timer>> rests_;
  std::map<core::ListenerId, std::unique_ptr<Timer>> watches_;
  // Stands for "this driver still exists" in ticks that were queued earlier.
  std::shared_ptr<PrimaryDriver*> self_ = std::make_shared<PrimaryDriver*>(this);
};

}  // namespace muster::uv
