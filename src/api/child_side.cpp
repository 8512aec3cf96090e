// SPDX-License-Identifier: MIT
#include "api/child_side.h"

#include <utility>

#include "api/bindable.h"
#include "api/handle_origin.h"
#include "api/own_process.h"

namespace muster::detail {

// This process in a worker, with the channel to the primary.
class WorkerProcess final : public OwnProcess {
 public:
  explicit WorkerProcess(LoopState& loop) : OwnProcess(loop) {}

  bool is_connected() const override {
    const auto side = cluster.lock();
    return side && side->connected();
  }
  bool send(Value&& message, Handle&& handle, SendCallback&& done) override {
    const auto origin = Access::origin(handle);
    const auto side = cluster.lock();
    uv::UserMessage wire = to_wire(std::move(message), std::move(handle), side && side->core().muster_primary());
    const bool sent = side && side->send(std::move(wire), std::move(done));
    if (side && origin) origin->sent_through(side->sockets());
    return sent;
  }
  void disconnect() override {
    if (const auto side = cluster.lock()) side->disconnect_channel();
  }
  void ref_channel(bool ref) override {
    if (const auto side = cluster.lock()) side->ref_channel(ref);
  }
  std::weak_ptr<ChildSide> cluster;
};

// The worker itself: Node's cluster.worker.
class OwnWorker final : public WorkerState {
 public:
  OwnWorker(core::WorkerId id, std::shared_ptr<WorkerProcess> process) : id_(id), process_(std::move(process)) {}

  int id() const override { return static_cast<int>(id_); }
  std::shared_ptr<ProcessState> process() const override { return process_; }
  std::optional<bool> exited_after_disconnect() const override {
    const auto side = process_->cluster.lock();
    return side ? side->core().exited_after_disconnect() : std::nullopt;
  }
  bool is_online() const override { return process_->is_connected(); }
  bool is_dead() const override { return false; }
  void disconnect() override {
    if (const auto side = process_->cluster.lock()) {
      side->core().disconnect();
      side->perform();
    }
  }
  void kill(Signal) override {
    if (const auto side = process_->cluster.lock()) {
      side->core().kill();
      side->perform();
    }
  }

 private:
  core::WorkerId id_;
  std::shared_ptr<WorkerProcess> process_;
};

ChildSide::ChildSide(LoopState& loop_state, core::WorkerId id, OwnedFd channel, Serialization serialization)
    : ClusterState(loop_state),
      core_(id),
      driver_(std::make_shared<uv::ChildDriver>(loop_state.loop, core_, static_cast<uv::ChildDriver::Sink&>(*this),
                                                std::move(channel), serialization)),
      process_(std::make_shared<WorkerProcess>(loop_state)),
      worker_(std::make_shared<OwnWorker>(id, process_)),
      sockets_(std::make_shared<RemoteSockets>([this](core::wire::SocketListMessage message) {
        if (driver_) driver_->send(message);
      })) {}

std::shared_ptr<ChildSide> ChildSide::make(LoopState& loop, core::WorkerId id, OwnedFd channel, Serialization serialization) {
  auto side = std::make_shared<ChildSide>(loop, id, std::move(channel), serialization);
  side->process_->cluster = side;
  side->perform();
  return side;
}

ChildSide::~ChildSide() = default;

std::shared_ptr<ProcessState> ChildSide::process() const { return process_; }
std::shared_ptr<WorkerState> ChildSide::worker() const { return worker_; }

void ChildSide::report_to(uv::Reporter::Request request) {
  reporter_ = std::make_unique<uv::Reporter>(loop->loop, std::move(request), loop->counts);
}

void ChildSide::shut_down() {
  reporter_.reset();
  for (const auto& [id, server] : std::exchange(servers_, {})) server->abandon();
  retire(driver_);
  sockets_->handle_channel_closed();
  worker_->drop_listeners();
  ClusterState::shut_down();
}

void ChildSide::perform() {
  if (driver_) driver_->perform();
}

bool ChildSide::send(uv::UserMessage&& message, SendCallback&& done) {
  if (!driver_) return false;
  return send_message(
      *loop, sends_, [&](auto id) { return driver_->send(std::move(message), id); }, std::move(done),
      [this](Error error) { handle_error(std::move(error)); });
}

void ChildSide::ref_channel(bool ref) {
  if (driver_) driver_->ref_channel(ref);
}

void ChildSide::disconnect_channel() {
  if (driver_ && !driver_->disconnect()) handle_error(Error{Errc::ipc_disconnected, "IPC channel is already disconnected"});
}

core::ServerId ChildSide::listen(std::shared_ptr<Bindable> server, core::wire::ListenQuery query) {
  const core::ServerId id = core_.listen(std::move(query));
  servers_[id] = std::move(server);
  perform();
  return id;
}

core::ServerId ChildSide::listen_alone(std::shared_ptr<Bindable> server) {
  const core::ServerId id = core_.listen_alone();
  servers_[id] = std::move(server);
  perform();
  return id;
}

void ChildSide::forget(core::ServerId id) {
  core_.handle_server_closed(id);
  perform();
  servers_.erase(id);
}

std::shared_ptr<Bindable> ChildSide::find(core::ServerId id) const {
  const auto found = servers_.find(id);
  return found == servers_.end() ? nullptr : found->second;
}

void ChildSide::handle_event(core::ChildEvent event) {
  loop->loop.emit([self = std::static_pointer_cast<ChildSide>(shared_from_this()), event = std::move(event)] {
    if (self->driver_) std::visit([&self](const auto& e) { self->tell(e); }, event);
  });
}

void ChildSide::handle_message(uv::UserMessage&& wire) {
  loop->loop.emit([self = std::static_pointer_cast<ChildSide>(shared_from_this()), wire = std::move(wire)]() mutable {
    Message message = from_wire(std::move(wire), self->sockets_);
    self->worker_->message.emit(self->loop->loop, message);
    self->process_->message.emit(self->loop->loop, message);
  });
}

void ChildSide::handle_socket_list(core::wire::SocketListMessage message) {
  // In its turn: the program may still be to hear of a connection that the other end asks about.
  loop->loop.emit([self = std::static_pointer_cast<ChildSide>(shared_from_this()), message = std::move(message)] {
    self->sockets_->handle_message(message);
  });
}

void ChildSide::handle_sent(core::SendId id, std::error_code error) { sends_.finish(loop->loop, id, error); }

void ChildSide::handle_error(Error error) {
  loop->loop.emit(
      [self = std::static_pointer_cast<ChildSide>(shared_from_this()), error = std::move(error)] { self->emit_error(error); });
}

void ChildSide::emit_error(const Error& error) {
  if (worker_->error.empty() && process_->error.empty()) {
    if (!is_peer_error(error.code)) loop->unhandled(error);
    return;
  }
  worker_->error.emit(loop->loop, error);
  process_->error.emit(loop->loop, error);
}

void ChildSide::handle_exit(int code) {
  loop->loop.emit([self = shared_from_this(), code] { self->loop->loop.stop(code); });
}

void ChildSide::tell(const core::ServerListeningEvent& event) {
  if (const auto server = find(event.server)) server->handle_listening(event.socket_name);
}

void ChildSide::tell(const core::ServerSharedEvent& event) {
  OwnedFd fd = driver_->take(event.descriptor);
  OwnedFd counters = event.counters ? driver_->take(*event.counters) : OwnedFd();
  if (const auto server = find(event.server)) server->handle_shared(std::move(fd), std::move(counters));
}

void ChildSide::tell(const core::ServerErrorEvent& event) {
  if (const auto server = find(event.server)) server->handle_error(event.error);
}

void ChildSide::tell(const core::ConnectionEvent& event) {
  OwnedFd fd = driver_->take(event.connection);
  if (const auto server = find(event.server)) server->handle_connection(std::move(fd));
}

void ChildSide::tell(const core::DropEvent& event) {
  const OwnedFd fd = driver_->take(event.connection);
  if (const auto server = find(event.server)) server->handle_drop(fd.get());
}

void ChildSide::tell(const core::CloseServerEvent& event) {
  if (const auto server = find(event.server)) server->close_if_open();
}

void ChildSide::tell(const core::WorkerDisconnectEvent&) {
  sockets_->handle_channel_closed();
  worker_->disconnected.emit(loop->loop);
  process_->disconnected.emit(loop->loop);
}

}  // namespace muster::detail
