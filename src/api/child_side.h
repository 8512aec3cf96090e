// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>

#include "api/cluster_state.h"
#include "api/messages.h"
#include "core/child.h"
#include "uv/child_driver.h"

namespace muster::detail {

class Bindable;
class OwnWorker;
class WorkerProcess;

// A cluster in a worker: the channel to the primary, and the servers that listen through it.
class ChildSide final : public ClusterState, private uv::ChildDriver::Sink {
 public:
  static std::shared_ptr<ChildSide> make(LoopState& loop, core::WorkerId id, OwnedFd channel, Serialization serialization);

  ChildSide(LoopState& loop, core::WorkerId id, OwnedFd channel, Serialization serialization);
  ~ChildSide() override;

  ChildSide* child() override { return this; }
  std::shared_ptr<ProcessState> process() const override;
  std::shared_ptr<WorkerState> worker() const;
  void shut_down() override;

  bool connected() const { return driver_ && driver_->connected(); }
  core::Child& core() { return core_; }
  // After every command to the core.
  void perform();

  bool send(uv::UserMessage&& message, SendCallback&& done);
  void report_to(uv::Reporter::Request request);
  const std::shared_ptr<RemoteSockets>& sockets() const { return sockets_; }
  void disconnect_channel();
  void ref_channel(bool ref);

  // Servers, as long as they are open.
  core::ServerId listen(std::shared_ptr<Bindable> server, core::wire::ListenQuery query);
  core::ServerId listen_alone(std::shared_ptr<Bindable> server);
  void forget(core::ServerId id);

 private:
  void handle_event(core::ChildEvent event) override;
  void handle_message(uv::UserMessage&& message) override;
  void handle_socket_list(core::wire::SocketListMessage message) override;
  void handle_sent(core::SendId id, std::error_code error) override;
  void handle_error(Error error) override;
  void handle_exit(int code) override;

  void tell(const core::ServerListeningEvent& event);
  void tell(const core::ServerSharedEvent& event);
  void tell(const core::ServerErrorEvent& event);
  void tell(const core::ConnectionEvent& event);
  void tell(const core::DropEvent& event);
  void tell(const core::CloseServerEvent& event);
  void tell(const core::WorkerDisconnectEvent& event);

  std::shared_ptr<Bindable> find(core::ServerId id) const;
  void emit_error(const Error& error);

  core::Child core_;
  std::shared_ptr<uv::ChildDriver> driver_;  // null after shut_down()
  std::unique_ptr<uv::Reporter> reporter_;   // where a supervisor wants to know
  std::shared_ptr<WorkerProcess> process_;
  std::shared_ptr<OwnWorker> worker_;
  std::map<core::ServerId, std::shared_ptr<Bindable>> servers_;
  SendCallbacks sends_;
  std::shared_ptr<RemoteSockets> sockets_;
};

}  // namespace muster::detail
