// SPDX-License-Identifier: MIT
#include "api/primary_side.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "api/handle_origin.h"
#include "api/own_process.h"
#include "api/reloading.h"
#include "api/socket_state.h"
#include "api/to_address.h"
#include "uv/host.h"
#include "uv/socket.h"

namespace muster::detail {

class RemoteWorker;

// The process behind a worker: Node's ChildProcess.
class RemoteProcess final : public ProcessState, public std::enable_shared_from_this<RemoteProcess> {
 public:
  RemoteProcess(std::weak_ptr<PrimarySide> cluster, std::shared_ptr<const core::WorkerRecord> record)
      : sockets(std::make_shared<RemoteSockets>([cluster, id = record->id](const core::wire::SocketListMessage& message) {
          if (const auto side = cluster.lock()) side->send(id, message);
        })),
        cluster_(std::move(cluster)),
        record_(std::move(record)) {}

  int pid() const override { return record_->pid; }
  bool is_connected() const override { return record_->connected && !cluster_.expired(); }
  std::optional<ExitStatus> exit_status() const override { return record_->exit_status; }
  bool kill(Signal signal) override {
    const auto cluster = cluster_.lock();
    return cluster && cluster->kill(record_->id, signal);
  }
  bool send(Value&& message, Handle&& handle, SendCallback&& done) override {
    const auto origin = Access::origin(handle);
    uv::UserMessage wire = to_wire(std::move(message), std::move(handle), record_->muster);
    const auto cluster = cluster_.lock();
    const bool sent = cluster && cluster->send(*this, std::move(wire), std::move(done));
    if (sockets && origin) origin->sent_through(sockets);
    return sent;
  }
  void disconnect() override {
    if (const auto cluster = cluster_.lock()) cluster->disconnect_channel(shared_from_this());
  }
  std::string spawn_file() const override { return record_->spawn_file; }
  std::vector<std::string> spawn_args() const override { return record_->spawn_args; }
  void ref(bool ref) override {
    if (const auto cluster = cluster_.lock()) cluster->ref_process(record_->id, ref);
  }
  void ref_channel(bool ref) override {
    if (const auto cluster = cluster_.lock()) cluster->ref_channel(record_->id, ref);
  }
  core::WorkerId id() const { return record_->id; }
  std::shared_ptr<SocketState> pipe(int number) const override {
    const auto found = pipes.find(number);
    return found == pipes.end() ? nullptr : found->second;
  }

  std::shared_ptr<PrimarySide> cluster() const { return cluster_.lock(); }
  // Told once, when the process has ended and the last pipe has.
  void close_if_over(uv::Loop& loop) {
    if (!ended || open_pipes > 0 || std::exchange(told_closed_, true)) return;
    closed.emit(loop, *ended);
  }

  std::map<int, std::shared_ptr<SocketState>> pipes;
  std::size_t open_pipes = 0;
  std::optional<ExitStatus> ended;
  std::weak_ptr<RemoteWorker> worker;
  // Null when the process has ended.
  std::shared_ptr<RemoteSockets> sockets;

 private:
  std::weak_ptr<PrimarySide> cluster_;
  std::shared_ptr<const core::WorkerRecord> record_;
  bool told_closed_ = false;
};

// A worker seen from the primary.
class RemoteWorker final : public WorkerState {
 public:
  RemoteWorker(const std::weak_ptr<PrimarySide>& cluster, std::shared_ptr<const core::WorkerRecord> record)
      : child(std::make_shared<RemoteProcess>(cluster, record)), cluster_(cluster), record_(std::move(record)) {}

  int id() const override { return static_cast<int>(record_->id); }
  std::shared_ptr<ProcessState> process() const override { return child; }
  std::optional<bool> exited_after_disconnect() const override { return record_->exited_after_disconnect; }
  bool is_online() const override {
    return record_->lifecycle.state() == core::State::online || record_->lifecycle.state() == core::State::listening;
  }
  bool is_dead() const override { return record_->exit_status.has_value(); }
  void disconnect() override {
    if (const auto cluster = cluster_.lock()) cluster->disconnect_worker(record_->id);
  }
  void kill(Signal signal) override { child->kill(signal); }
  bool gone() const { return record_->lifecycle.gone() || (record_->pid == 0 && record_->lifecycle.disconnected()); }

  const std::shared_ptr<RemoteProcess> child;
  Env env;  // that it was forked with
  bool has_listened = false;
  bool gone_and_told = false;

 private:
  std::weak_ptr<PrimarySide> cluster_;
  std::shared_ptr<const core::WorkerRecord> record_;
};

PrimarySide::PrimarySide(LoopState& loop_state, Settings defaults, SchedulingPolicy policy)
    : ClusterState(loop_state),
      core_(std::move(defaults), policy),
      driver_(std::make_shared<uv::PrimaryDriver>(loop_state.loop, core_, static_cast<uv::PrimaryDriver::Sink&>(*this))),
      process_(std::make_shared<OwnProcess>(loop_state)) {
  core_.set_host(uv::host());
}

PrimarySide::~PrimarySide() = default;

void PrimarySide::shut_down() {
  for (const auto& reload : std::exchange(reloads_, {})) {
    reload->abandon();
    loop->keep_for_turn(reload);
  }
  retire(driver_);
  for (const auto& [id, worker] : std::exchange(workers_, {})) {
    if (const auto sockets = std::exchange(worker->child->sockets, nullptr)) sockets->handle_channel_closed();
    worker->drop_listeners();
  }
  callbacks_.clear();
  ClusterState::shut_down();
}

uv::PrimaryDriver& PrimarySide::driver() {
  if (!driver_) throw Exception(Errc::cluster_closed, "The cluster, or the loop it was made on, is gone");
  return *driver_;
}

void PrimarySide::setup_primary(const Settings& settings) {
  uv::PrimaryDriver& driver = this->driver();
  core_.setup_primary(settings);
  driver.perform();
}

Worker PrimarySide::fork_worker(const Env& env) {
  const auto self = std::static_pointer_cast<PrimarySide>(shared_from_this());
  driver();
  const char* const asked = std::getenv("NODE_OPTIONS");
  const std::string node_options = asked ? asked : "";
  const core::WorkerId id = core_.take_id();
  // The program's code, which may do anything: fork another, or end this.
  std::optional<int> inspect_port;
  const auto choose = core_.next_settings().inspect_port;
  if (choose && core::asks_to_inspect(core_.next_settings(), node_options)) inspect_port = (*choose)();
  uv::PrimaryDriver& driver = this->driver();
  auto record = core_.fork(id, env, node_options, inspect_port);
  auto worker = std::make_shared<RemoteWorker>(self, std::move(record));
  worker->child->worker = worker;
  worker->env = env;
  workers_[id] = worker;
  driver.perform();
  for (auto& [number, fd] : driver.take_pipes(id)) {
    ++worker->child->open_pipes;
    worker->child->pipes[number] =
        SocketState::adopt(*loop, std::move(fd), [child = std::weak_ptr(worker->child), loop = loop] {
          if (const auto alive = child.lock()) {
            --alive->open_pipes;
            alive->close_if_over(loop->loop);
            const auto self = alive->cluster();
            if (const auto owner = alive->worker.lock(); owner && self) self->forget_if_gone(owner);
          }
        });
  }
  return Access::make<Worker>(worker);
}

void PrimarySide::disconnect_all(Function<void()> done) {
  std::optional<core::CallbackId> id;
  if (done) {
    id = core::CallbackId{next_callback_++};
    callbacks_.emplace(*id, std::move(done));
  }
  if (!driver_) return;
  core_.disconnect_all(id);
  driver_->perform();
}

void PrimarySide::reload(const ReloadOptions& options, Function<void(const RolloutResult&)> done) {
  driver();
  if (options.parallel == 0) throw Exception(Errc::invalid_arg_value, "ReloadOptions::parallel must be at least 1");
  if (options.ready_timeout && options.ready_timeout->count() <= 0) {
    throw Exception(Errc::invalid_arg_value, "ReloadOptions::ready_timeout must be more than 0; left empty, there is no limit");
  }
  const bool under_way = !reloads_.empty() && !reloads_.back()->has_ended();
  if (under_way || supervisors > 0) {
    RolloutResult refused;
    refused.why = under_way ? "a reload is under way" : "a Supervisor keeps the workers: its reload() is the one to call";
    return loop->loop.next_tick([done = std::move(done), refused = std::move(refused)]() mutable {
      if (done) done(refused);
    });
  }
  std::vector<Reloading::Old> old;
  for (const auto& record : core_.workers()) {
    const auto worker = find(record->id);
    if (worker && record->connected) old.push_back({Access::make<Worker>(worker), worker->env, worker->has_listened});
  }
  reloads_.push_back(std::make_shared<Reloading>(*this, std::move(old), options, std::move(done)));
  const auto reload = reloads_.back();
  reload->start();
}

void PrimarySide::forget(const Reloading& reload) {
  const auto found = std::find_if(reloads_.begin(), reloads_.end(), [&](const auto& other) { return other.get() == &reload; });
  if (found == reloads_.end()) return;
  loop->keep_for_turn(std::move(*found));
  reloads_.erase(found);
}

std::map<int, Worker> PrimarySide::workers() const {
  std::map<int, Worker> result;
  for (const auto& record : core_.workers()) {
    if (const auto worker = find(record->id)) result.emplace(worker->id(), Access::make<Worker>(worker));
  }
  return result;
}

void PrimarySide::keep_ports() {
  if (driver_) core_.keep_ports();
}

void PrimarySide::release_unused_ports() {
  if (!driver_) return;
  core_.release_unused_ports();
  driver_->perform();
}

void PrimarySide::adopt(ListeningSocket socket) {
  OwnedFd fd = Access::take(std::move(socket.socket));
  uv::set_non_blocking(fd.get());
  uv::set_close_on_exec(fd.get());
  if (!driver_) return;
  os::SocketFile file;
  if (!socket.path.empty()) {
    const os::SocketFile::Identity identity{socket.device, socket.inode};
    file = identity == os::SocketFile::Identity() ? os::SocketFile::at(socket.path) : os::SocketFile::at(socket.path, identity);
  }
  core::Ports::Port port{std::move(socket.name), {}, socket.for_all, true};
  if (socket.uid) port.user = core::User{*socket.uid, socket.gid};
  driver_->adopt(std::move(port), std::move(fd), std::move(file));
}

void PrimarySide::leave_files() {
  if (driver_) driver_->leave_files();
}

std::vector<ListeningSocket> PrimarySide::kept_ports() {
  std::vector<ListeningSocket> result;
  if (!driver_) return result;
  for (uv::PrimaryDriver::PortCopy& port : driver_->copy_ports()) {
    const auto [device, inode] = port.file.identity();
    ListeningSocket socket{std::move(port.name), Handle(HandleType::server, port.socket.release()), port.file.path(), device,
                           inode};
    socket.for_all = port.for_all;
    if (port.user) {
      socket.uid = port.user->uid;
      socket.gid = port.user->gid;
    }
    result.push_back(std::move(socket));
  }
  return result;
}

void PrimarySide::stop_listening(Function<void()> done) {
  if (!driver_) return;
  const core::CallbackId id{next_callback_++};
  callbacks_.emplace(id, std::move(done));
  core_.stop_listening(id);
  driver_->perform();
}

void PrimarySide::disconnect_worker(core::WorkerId id) {
  if (!driver_) return;
  core_.disconnect(id);
  driver_->perform();
}

bool PrimarySide::send(RemoteProcess& process, uv::UserMessage&& message, SendCallback&& done) {
  if (!driver_) return false;
  return send_message(
      *loop, sends_, [&](auto id) { return driver_->send(process.id(), std::move(message), id); }, std::move(done),
      [&](Error error) { fail(process.shared_from_this(), std::move(error)); });
}

void PrimarySide::send(core::WorkerId id, const core::wire::SocketListMessage& message) {
  if (driver_) driver_->send(id, message);
}

void PrimarySide::disconnect_channel(const std::shared_ptr<RemoteProcess>& process) {
  if (!driver_) return;
  if (!core_.disconnect_channel(process->id())) {
    fail(process, Error{Errc::ipc_disconnected, "IPC channel is already disconnected"});
  }
  driver_->perform();
}

void PrimarySide::ref_process(core::WorkerId id, bool ref) {
  if (driver_) driver_->ref_process(id, ref);
}

void PrimarySide::ref_channel(core::WorkerId id, bool ref) {
  if (driver_) driver_->ref_channel(id, ref);
}

bool PrimarySide::kill(core::WorkerId id, Signal signal) { return driver_ && driver_->kill(id, signal); }

std::shared_ptr<RemoteWorker> PrimarySide::find(core::WorkerId id) const {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second;
}

void PrimarySide::fail(const std::shared_ptr<RemoteProcess>& process, Error error) {
  loop->loop.emit([self = std::static_pointer_cast<PrimarySide>(shared_from_this()), process, error = std::move(error)] {
    if (self->driver_) self->emit_error(*process, error);
  });
}

void PrimarySide::handle_event(core::PrimaryEvent event) {
  loop->loop.emit([self = std::static_pointer_cast<PrimarySide>(shared_from_this()), event = std::move(event)] {
    if (self->driver_) std::visit([&self](const auto& e) { self->tell(e); }, event);
  });
}

void PrimarySide::handle_message(core::WorkerId id, uv::UserMessage&& wire) {
  loop->loop.emit([self = std::static_pointer_cast<PrimarySide>(shared_from_this()), id, wire = std::move(wire)]() mutable {
    const auto worker = self->driver_ ? self->find(id) : nullptr;
    if (!worker) return;
    Message message = from_wire(std::move(wire), worker->child->sockets);
    self->message.emit(self->loop->loop, Access::make<Worker>(worker), message);
    worker->message.emit(self->loop->loop, message);
    worker->child->message.emit(self->loop->loop, message);
  });
}

void PrimarySide::handle_socket_list(core::WorkerId id, core::wire::SocketListMessage message) {
  // In its turn: the program may still be to hear of a connection that the worker asks about.
  loop->loop.emit([self = std::static_pointer_cast<PrimarySide>(shared_from_this()), id, message = std::move(message)] {
    const auto worker = self->driver_ ? self->find(id) : nullptr;
    if (worker && worker->child->sockets) worker->child->sockets->handle_message(message);
  });
}

void PrimarySide::set_choose_worker(ChooseWorker choose) {
  core_.set_scheduling_policy(SchedulingPolicy::custom);
  if (core_.scheduling_policy() == SchedulingPolicy::custom) choose_worker_ = std::move(choose);
}

std::optional<core::WorkerId> PrimarySide::choose(int connection, const std::vector<core::WorkerId>& ids) {
  std::vector<Worker> workers;
  for (const core::WorkerId id : ids) {
    if (const auto worker = find(id)) workers.push_back(Access::make<Worker>(worker));
  }
  std::optional<Worker> chosen;
  const IncomingConnection incoming{to_address(uv::socket_name(connection)), to_address(uv::peer_name(connection))};
  loop->loop.call([&] { chosen = choose_worker_(incoming, workers); });
  if (!chosen) return std::nullopt;
  return core::WorkerId{static_cast<std::uint32_t>(chosen->id())};
}

void PrimarySide::handle_sent(core::SendId id, std::error_code error) { sends_.finish(loop->loop, id, error); }

void PrimarySide::handle_no_kernel(const std::string& why) {
  loop->loop.emit([self = std::static_pointer_cast<PrimarySide>(shared_from_this()), why] {
    if (self->driver_) self->policy_unavailable.emit(self->loop->loop, why);
  });
}

void PrimarySide::tell(const core::SetupEvent& event) { setup.emit(loop->loop, event.settings); }

void PrimarySide::tell(const core::ForkEvent& event) {
  if (const auto worker = find(event.worker)) {
    if (worker->child->pid() != 0) worker->child->spawned.emit(loop->loop);
    fork.emit(loop->loop, Access::make<Worker>(worker));
    if (worker->child->pid() == 0) {
      worker->child->ended = ExitStatus::exited(-2);
      worker->child->close_if_over(loop->loop);
    }
  }
}

void PrimarySide::tell(const core::OnlineEvent& event) {
  if (const auto worker = find(event.worker)) {
    worker->online.emit(loop->loop);
    online.emit(loop->loop, Access::make<Worker>(worker));
  }
}

void PrimarySide::tell(const core::ListeningEvent& event) {
  if (const auto worker = find(event.worker)) {
    worker->has_listened = true;
    worker->listening.emit(loop->loop, event.address);
    listening.emit(loop->loop, Access::make<Worker>(worker), event.address);
  }
}

void PrimarySide::tell(const core::DisconnectEvent& event) {
  if (const auto worker = find(event.worker)) {
    if (const auto sockets = worker->child->sockets) sockets->handle_channel_closed();
    worker->disconnected.emit(loop->loop);
    disconnect.emit(loop->loop, Access::make<Worker>(worker));
    worker->child->disconnected.emit(loop->loop);
    forget_if_gone(worker);
  }
}

void PrimarySide::tell(const core::ExitEvent& event) {
  if (const auto worker = find(event.worker)) {
    if (const auto sockets = std::exchange(worker->child->sockets, nullptr)) sockets->handle_channel_closed();
    worker->exit.emit(loop->loop, event.status);
    exit.emit(loop->loop, Access::make<Worker>(worker), event.status);
    worker->child->exit.emit(loop->loop, event.status);
    worker->child->ended = event.status;
    for (const auto& [number, pipe] : worker->child->pipes) pipe->read_to_end();
    worker->child->close_if_over(loop->loop);
    forget_if_gone(worker);
  }
}

void PrimarySide::forget_if_gone(const std::shared_ptr<RemoteWorker>& worker) {
  if (!worker->gone() || worker->child->open_pipes > 0) return;
  // After what its listeners have set off, such as the error of a message to it.
  loop->loop.next_tick([self = std::static_pointer_cast<PrimarySide>(shared_from_this()), worker] {
    self->workers_.erase(worker->child->id());
    worker->drop_listeners();
    worker->gone_and_told = true;
  });
}

void PrimarySide::tell(const core::ErrorEvent& event) {
  if (const auto worker = find(event.worker)) emit_error(*worker->child, event.error);
}

void PrimarySide::emit_error(RemoteProcess& process, const Error& error) {
  const auto worker = process.worker.lock();
  if ((!worker || worker->error.empty()) && process.error.empty()) {
    // What a peer does wrong must not end this process because nobody thought of it; and of a worker that is gone
    // nobody can hear any more.
    if (!is_peer_error(error.code) && worker && !worker->gone_and_told) loop->unhandled(error);
    return;
  }
  if (worker) worker->error.emit(loop->loop, error);
  process.error.emit(loop->loop, error);
}

void PrimarySide::tell(const core::AllDisconnectedEvent& event) { call_back(event.callback); }

void PrimarySide::tell(const core::ListeningStoppedEvent& event) { call_back(event.callback); }

void PrimarySide::call_back(core::CallbackId id) {
  if (auto done = callbacks_.extract(id); done && done.mapped()) loop->loop.call(done.mapped());
}

}  // namespace muster::detail
