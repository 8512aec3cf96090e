#include "uv/primary_driver.h"

#include "core/assert.h"
#include "uv/socket.h"

namespace muster::uv {

PrimaryDriver::PrimaryDriver(Loop& loop, core::Primary& primary, Sink& sink) : loop_(loop), primary_(primary), sink_(sink) {}

PrimaryDriver::~PrimaryDriver() = default;

void PrimaryDriver::perform() {
  while (auto effect = primary_.poll_effect()) {
    std::visit([this](auto& e) { perform(std::move(e)); }, *effect);
  }
}

void PrimaryDriver::perform(core::Spawn spawn) {
  const core::WorkerId id = spawn.worker;
  const auto [found, added] = workers_.try_emplace(
      id, Worker{ChildProcess(loop_, [this, id](ExitStatus status) { handle_exit(id, status); }), spawn.request.serialization});
  MUSTER_ASSERT(added);
  Worker& worker = found->second;
  if (const int error = worker.process.spawn(spawn.request); error != 0) {
    workers_.erase(found);
    Error failure = system_error(error, "spawn " + spawn.request.file);
    failure.syscall = "spawn";
    primary_.handle_spawn_failed(id, std::move(failure));
    return;
  }
  worker.channel = std::make_unique<ChannelIo>(
      loop_, fds_, worker.process.take_channel(), core::Channel(spawn.request.serialization, spawn.request.limits),
      [this, id](core::Channel::Event event) { handle_channel(id, std::move(event)); });
  primary_.handle_spawned(id, worker.process.pid());
}

void PrimaryDriver::perform(core::SendToWorker send) {
  const auto found = workers_.find(send.worker);
  if (found == workers_.end()) return;
  ChannelIo& channel = *found->second.channel;
  core::Channel::Outgoing outgoing =
      core::Channel::required(core::wire::encode(found->second.serialization, send.message, send.handle, channel.dialect()));
  outgoing.descriptor = send.descriptor;
  channel.send(std::move(outgoing));
}

void PrimaryDriver::perform(core::DisconnectWorker disconnect) {
  const auto found = workers_.find(disconnect.worker);
  if (found != workers_.end()) found->second.channel->disconnect();
}

void PrimaryDriver::perform(core::Listen listen) { primary_.handle_listening(listen.listener, open(listen)); }

core::Primary::ListenResult PrimaryDriver::open(const core::Listen& listen) {
  auto [socket, error] = bind_socket(listen.query);
  if (error != 0) return {error};
  if (listen.mode == core::ListenMode::share) return {0, {}, fds_.add(std::move(socket))};

  const bool path = listen.query.address_type == AddressType::pipe && !listen.query.fd;
  const core::ListenerId id = listen.listener;
  auto name = socket_name(socket.get());
  auto acceptor = std::make_unique<Acceptor>(
      loop_, std::move(socket),
      [this, id](OwnedFd connection) {
        primary_.handle_connection(id, fds_.add(std::move(connection)));
        perform();
      },
      path ? *listen.query.address : std::string());
  if (const int failed = acceptor->start(listen.query.backlog); failed != 0) return {failed};
  acceptors_[id] = std::move(acceptor);
  return {0, std::move(name)};
}

void PrimaryDriver::perform(core::StopListening stop) {
  acceptors_.erase(stop.listener);
  rests_.erase(stop.listener);
}

void PrimaryDriver::perform(core::CloseDescriptor close) { fds_.close(close.descriptor); }

void PrimaryDriver::perform(core::ProbeConnection probe) {
  primary_.handle_probed(probe.listener, probe.connection, touched(fds_.get(probe.connection)));
}

void PrimaryDriver::perform(core::Rest rest) {
  auto& timer = rests_[rest.listener];
  if (!timer) {
    timer = std::make_unique<Timer>(loop_, [this, id = rest.listener] {
      primary_.handle_rested(id);
      perform();
    });
  }
  timer->start(std::chrono::milliseconds(rest.milliseconds));
}

void PrimaryDriver::perform(core::PrimaryEvent event) { sink_.handle_event(std::move(event)); }

void PrimaryDriver::handle_channel(core::WorkerId id, core::Channel::Event event) {
  if (auto* received = std::get_if<core::Channel::Received>(&event)) {
    if (auto* message = std::get_if<core::wire::ClusterMessage>(&received->packet.payload)) {
      // No message of a worker's cluster module brings a descriptor.
      if (received->descriptor) fds_.close(*received->descriptor);
      primary_.handle_message(id, std::move(*message));
      perform();
    } else if (auto* data = std::get_if<Value>(&received->packet.payload)) {
      UserMessage user{std::move(*data)};
      if (received->descriptor) user.handle = UserHandle{*received->packet.handle, fds_.take(*received->descriptor)};
      sink_.handle_message(id, std::move(user));
    } else {
      if (received->descriptor) fds_.close(*received->descriptor);
      if (auto* list = std::get_if<core::wire::SocketListMessage>(&received->packet.payload)) {
        sink_.handle_socket_list(id, std::move(*list));
      }
    }
  } else if (const auto* sent = std::get_if<core::Channel::Sent>(&event)) {
    sink_.handle_sent(sent->id, sent->error);
  } else if (const auto* lost = std::get_if<core::Channel::NotReceived>(&event)) {
    primary_.handle_not_received(id, lost->descriptor);
    perform();
  } else if (const auto* failed = std::get_if<core::Channel::Failed>(&event)) {
    const std::error_code code = failed->code;
    primary_.handle_error(id, Error{code, code.message()});
    perform();
  } else if (std::holds_alternative<core::Channel::Closed>(event)) {
    workers_.at(id).disconnected = true;
    primary_.handle_channel_closed(id);
    perform();
    forget_if_gone(id);
  }
}

void PrimaryDriver::handle_exit(core::WorkerId id, ExitStatus status) {
  Worker& worker = workers_.at(id);
  // What it said before it went comes first, and the end of its channel with it.
  worker.channel->read_all();
  worker.exited = true;
  primary_.handle_exit(id, status);
  perform();
  forget_if_gone(id);
}

void PrimaryDriver::forget_if_gone(core::WorkerId id) {
  // Later: its channel or its process is calling just now.
  loop_.next_tick([this, id, alive = std::weak_ptr(self_)] {
    if (!alive.lock()) return;
    const auto found = workers_.find(id);
    if (found != workers_.end() && found->second.exited && found->second.disconnected) workers_.erase(found);
  });
}

core::Channel::SendResult PrimaryDriver::send(core::WorkerId id, UserMessage message, std::optional<core::SendId> send_id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return core::Channel::SendResult::closed;
  return send_user_message(*found->second.channel, fds_, found->second.serialization, std::move(message), send_id);
}

void PrimaryDriver::send(core::WorkerId id, const core::wire::SocketListMessage& message) {
  const auto found = workers_.find(id);
  if (found != workers_.end())
    found->second.channel->send(core::Channel::required(core::wire::encode(found->second.serialization, message)));
}

bool PrimaryDriver::kill(core::WorkerId id, Signal signal) {
  const auto found = workers_.find(id);
  return found != workers_.end() && found->second.process.kill(signal);
}

std::vector<std::pair<int, OwnedFd>> PrimaryDriver::take_pipes(core::WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? std::vector<std::pair<int, OwnedFd>>() : found->second.process.take_pipes();
}

void PrimaryDriver::ref_channel(core::WorkerId id, bool ref) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  if (ref) {
    found->second.channel->ref();
  } else {
    found->second.channel->unref();
  }
}

}  // namespace muster::uv
