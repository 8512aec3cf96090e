// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>

#include "api/cluster_state.h"
#include "api/messages.h"
#include "core/primary.h"
#include "uv/primary_driver.h"

namespace muster::detail {

class Reloading;
class RemoteProcess;
class RemoteWorker;

// A cluster in the primary: gives the events of the engine to the program's listeners.
class PrimarySide final : public ClusterState, private uv::PrimaryDriver::Sink {
 public:
  PrimarySide(LoopState& loop, Settings defaults, SchedulingPolicy policy);
  ~PrimarySide() override;

  PrimarySide* primary() override { return this; }
  std::shared_ptr<ProcessState> process() const override { return process_; }
  void shut_down() override;

  void setup_primary(const Settings& settings);
  Worker fork_worker(const Env& env);
  void disconnect_all(Function<void()> done);
  void reload(const ReloadOptions& options, Function<void(const RolloutResult&)> done);
  void forget(const Reloading& reload);
  std::map<int, Worker> workers() const;
  void set_choose_worker(ChooseWorker choose);
  core::Primary& core() { return core_; }
  void keep_ports();
  void release_unused_ports();
  void adopt(ListeningSocket socket);
  std::vector<ListeningSocket> kept_ports();
  void leave_files();
  void stop_listening(Function<void()> done);

  // For a worker's handles.
  void disconnect_worker(core::WorkerId id);
  bool send(RemoteProcess& process, uv::UserMessage&& message, SendCallback&& done);
  void disconnect_channel(const std::shared_ptr<RemoteProcess>& process);
  void send(core::WorkerId id, const core::wire::SocketListMessage& message);
  bool kill(core::WorkerId id, Signal signal);
  void ref_process(core::WorkerId id, bool ref);
  void ref_channel(core::WorkerId id, bool ref);
  // Lets go of a worker that is gone, with its listeners, when all has been told.
  void forget_if_gone(const std::shared_ptr<RemoteWorker>& worker);

 private:
  void handle_event(core::PrimaryEvent event) override;
  void handle_message(core::WorkerId worker, uv::UserMessage&& message) override;
  void handle_socket_list(core::WorkerId worker, core::wire::SocketListMessage message) override;
  void handle_sent(core::SendId id, std::error_code error) override;
  void handle_no_kernel(const std::string& why) override;
  std::optional<core::WorkerId> choose(int connection, const std::vector<core::WorkerId>& workers) override;

  void tell(const core::SetupEvent& event);
  void tell(const core::ForkEvent& event);
  void tell(const core::OnlineEvent& event);
  void tell(const core::ListeningEvent& event);
  void tell(const core::DisconnectEvent& event);
  void tell(const core::ExitEvent& event);
  void tell(const core::ErrorEvent& event);
  void tell(const core::AllDisconnectedEvent& event);
  void tell(const core::ListeningStoppedEvent& event);
  void call_back(core::CallbackId id);

  // Throws where the cluster is gone.
  uv::PrimaryDriver& driver();
  // Later, and in order with the other events.
  void fail(const std::shared_ptr<RemoteProcess>& process, Error error);
  void emit_error(RemoteProcess& process, const Error& error);
  std::shared_ptr<RemoteWorker> find(core::WorkerId id) const;

  core::Primary core_;
  std::shared_ptr<uv::PrimaryDriver> driver_;  // null after shut_down()
  std::shared_ptr<ProcessState> process_;
  std::map<core::WorkerId, std::shared_ptr<RemoteWorker>> workers_;
  SendCallbacks sends_;
  ChooseWorker choose_worker_;                              // with SchedulingPolicy::custom
  std::map<core::CallbackId, Function<void()>> callbacks_;  // of disconnect() and stop_listening()
  std::uint64_t next_callback_ = 0;
  std::vector<std::shared_ptr<Reloading>> reloads_;  // the last one goes on; of those before, old workers still leave
};

}  // namespace muster::detail
