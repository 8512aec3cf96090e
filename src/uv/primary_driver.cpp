// SPDX-License-Identifier: MIT
#include "uv/primary_driver.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "core/limits.h"
#include "uv/resolver.h"

namespace muster::uv {
namespace {

// A message of so many bytes takes some milliseconds to decode, and a thread for it does not cost more than others would wait.
constexpr std::size_t decode_apart_from = std::size_t{1} << 20;

// All but its token.
core::BoundSocket describe(int fd) { return {{}, is_datagram(fd), socket_path(fd), socket_name(fd)}; }

}  // namespace

PrimaryDriver::PrimaryDriver(Loop& loop, core::Primary& primary, Sink& sink, core::wire::UserData user_data)
    : loop_(loop), primary_(primary), sink_(sink), user_data_(user_data) {}

PrimaryDriver::~PrimaryDriver() {
  loop_.forget(*this);
  for (auto& [id, file] : shared_files_) file.remove();
  for (auto& [socket, file] : port_files_) file.remove();
}

void PrimaryDriver::perform() {
  while (!closed_) {
    auto effect = primary_.poll_effect();
    if (!effect) break;
    std::visit([this](auto& e) { perform(std::move(e)); }, *effect);
  }
}

void PrimaryDriver::adopt(core::Ports::Port port, OwnedFd socket, os::SocketFile file) {
  port.bound = describe(socket.get());
  port.bound.socket = fds_.add(std::move(socket));
  if (file) port_files_[port.bound.socket] = std::move(file);
  primary_.adopt(std::move(port));
  perform();
}

std::vector<PrimaryDriver::PortCopy> PrimaryDriver::copy_ports() const {
  std::vector<PortCopy> copies;
  for (const core::Ports::Port& port : primary_.ports().all()) {
    const auto file = port_files_.find(port.bound.socket);
    copies.push_back({port.name, require_duplicate(fds_.get(port.bound.socket)),
                      file == port_files_.end() ? os::SocketFile() : file->second, port.for_all, port.user});
  }
  return copies;
}

void PrimaryDriver::leave_files() {
  for (auto& [socket, file] : port_files_) file.leave();
}

void PrimaryDriver::perform(core::Spawn spawn) {
  const core::WorkerId id = spawn.worker;
  const auto [found, added] = workers_.try_emplace(
      id, Worker{ChildProcess(loop_, [this, id](ExitStatus status) { handle_exit(id, status); }), spawn.request.serialization});
  MUSTER_ASSERT(added);
  Worker& worker = found->second;
  if (spawn.request.queue_descriptor) {
    worker.queue = ConnectionQueue::create(loop_, core::Dealer::window, [this, id] {
      if (closed_) return;
      if (const ConnectionQueue* queue = queue_of(id)) primary_.handle_read(id, queue->read());
      perform();
    });
  }
  if (const int error = worker.process.spawn(spawn.request, worker.queue ? worker.queue->reader() : -1); error != 0) {
    Error failure = system_error(error, "spawn " + spawn.request.file);
    failure.syscall = "spawn";
    // Node's text ends here, and reads as if the file were missing.
    if (worker.process.cwd_failed()) failure.message += " (the working folder " + *spawn.request.cwd + ")";
    workers_.erase(found);
    primary_.handle_spawn_failed(id, std::move(failure));
    return;
  }
  core::ChannelLimits limits = spawn.request.limits;
  limits.decode_apart = decode_apart_from;
  worker.channel = std::make_unique<ChannelIo>(loop_, fds_, worker.process.take_channel(),
                                               core::Channel(spawn.request.serialization, limits, user_data_),
                                               [this, id](core::Channel::Event& event) { handle_channel(id, event); });
  if (!worker.queue) primary_.handle_no_queue(id);
  primary_.handle_spawned(id, worker.process.pid());
}

void PrimaryDriver::perform(core::SendToWorker send) {
  const auto found = workers_.find(send.worker);
  if (found == workers_.end()) {
    if (send.give) fds_.close(*send.descriptor);
    return;
  }
  ChannelIo& channel = *found->second.channel;
  core::Channel::Outgoing outgoing =
      core::Channel::required(core::wire::encode(found->second.serialization, send.message, send.handle, channel.dialect()));
  outgoing.descriptor = send.descriptor;
  if (send.give) outgoing.ownership = core::Channel::Descriptor::give;
  if (!core::Channel::queued(channel.send(std::move(outgoing))) && send.give) fds_.close(*send.descriptor);
}

void PrimaryDriver::perform(core::Offer offer) {
  const auto found = workers_.find(offer.worker);
  if (found == workers_.end()) return;
  // On the board first: the worker may be quicker than this turn.
  for (std::size_t i = 0; i < offer.connections.size(); ++i) found->second.board->offer(offer.first + i);
  found->second.channel->offer(offer.first, std::move(offer.connections), offer.key);
}

void PrimaryDriver::perform(core::RevokeOffer revoke) {
  const auto found = workers_.find(revoke.worker);
  const bool taken_back = found != workers_.end() && found->second.board->revoke(revoke.number);
  primary_.handle_revoked(revoke.worker, revoke.listener, revoke.connection, revoke.number,
                          taken_back ? core::Dealer::Revoked::taken_back : core::Dealer::Revoked::claimed);
}

ConnectionQueue* PrimaryDriver::queue_of(core::WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.queue.get();
}

void PrimaryDriver::perform(core::Enqueue enqueue) {
  ConnectionQueue* const queue = queue_of(enqueue.worker);
  ConnectionQueue::Sent sent{0, EPIPE};
  if (queue) {
    std::vector<int> connections;
    connections.reserve(enqueue.connections.size());
    for (const core::FdToken connection : enqueue.connections) connections.push_back(fds_.get(connection));
    sent = queue->send(enqueue.listener, connections);
  }
  const std::span all(enqueue.connections);
  const auto acceptor = acceptors_.find(core::ListenerId{static_cast<std::uint32_t>(enqueue.listener)});
  const bool is_tcp = acceptor != acceptors_.end() && !acceptor->second->is_unix();
  for (const core::FdToken connection : all.first(sent.count)) {
    OwnedFd fd = fds_.take(connection);
    if (is_tcp) os::close_connection(fd.release());
  }
  if (sent.count == all.size()) return;
  primary_.handle_not_queued(enqueue.worker, all.subspan(sent.count));
  const bool temporary = sent.error == EAGAIN || sent.error == ENOBUFS || sent.error == ENOMEM || sent.error == ETOOMANYREFS;
  if (!temporary) primary_.handle_no_queue(enqueue.worker);
}

void PrimaryDriver::perform(core::CountUnread count) {
  if (const ConnectionQueue* queue = queue_of(count.worker)) primary_.handle_read(count.worker, queue->read());
}

void PrimaryDriver::perform(core::AwaitRoom await) {
  if (ConnectionQueue* queue = queue_of(await.worker)) queue->await_room();
}

void PrimaryDriver::perform(core::DrainQueue drain) {
  ConnectionQueue* const queue = queue_of(drain.worker);
  if (!queue) return;
  std::vector<std::optional<core::FdToken>> unread;
  for (OwnedFd& connection : queue->drain()) {
    unread.push_back(connection ? std::optional(fds_.add(std::move(connection))) : std::nullopt);
  }
  primary_.handle_drained(drain.worker, queue->read(), unread);
}

void PrimaryDriver::perform(core::PingQueue ping) {
  if (ConnectionQueue* queue = queue_of(ping.worker); queue && !queue->ping()) primary_.handle_no_queue(ping.worker);
}

void PrimaryDriver::perform(core::ShareBoard share) {
  static_assert(kernel::LoadBoard::slots == core::offer_slots);
  const auto found = workers_.find(share.worker);
  if (found == workers_.end()) return;
  Worker& worker = found->second;
  std::optional<core::wire::HandleInfo> handle;
  core::Channel::Outgoing outgoing = core::Channel::required({});
  // Without one it is dealt to as Node would.
  if (auto board = kernel::LoadBoard::create()) {
    outgoing.descriptor = fds_.add(board->take_descriptor());
    outgoing.ownership = core::Channel::Descriptor::give;
    handle.emplace().kind = core::wire::HandleKind::descriptor;
    worker.board = std::move(board);
  } else {
    primary_.handle_no_board(share.worker);
  }
  outgoing.frame = core::wire::encode(worker.serialization, share.message, handle, worker.channel->dialect());
  const auto descriptor = outgoing.descriptor;
  const bool sent = core::Channel::queued(worker.channel->send(std::move(outgoing)));
  if (!sent && descriptor) fds_.close(*descriptor);
}

void PrimaryDriver::perform(core::DisconnectWorker disconnect) {
  const auto found = workers_.find(disconnect.worker);
  if (found != workers_.end()) found->second.channel->disconnect();
}

void PrimaryDriver::perform(core::Listen listen) {
  with_address(listen, [this, listen](const std::string& numeric) {
    if (listen.mode != core::ListenMode::kernel) return primary_.handle_listening(listen.listener, open(listen, numeric));
    auto dispatch = kernel::DispatchGroup::create();
    if (const auto* why_not = std::get_if<std::string>(&dispatch)) {
      sink_.handle_no_kernel(*why_not);
      return primary_.handle_no_kernel(listen.listener);
    }
    Group& group = groups_[listen.listener];
    group.dispatch = std::move(std::get<0>(dispatch));
    if (listen.query.address) group.address = numeric;
    primary_.handle_listening(listen.listener, {});
  });
}

void PrimaryDriver::with_address(const core::Listen& listen, Function<void(const std::string&)> task) {
  const auto& [id, query, mode, user] = listen;
  const bool has_host = query.address && query.address_type != AddressType::pipe && query.fd.value_or(-1) < 0;
  if (!has_host || is_numeric(*query.address)) return task(query.address.value_or(""));
  loop_.resolver().resolve(*query.address, [this, alive = std::weak_ptr(self_), id = id, task = std::move(task)](
                                               const std::string& numeric, int error) mutable {
    if (!alive.lock() || closed_) return;
    if (error == 0) {
      task(numeric);
    } else {
      primary_.handle_listening(id, {error});
    }
    perform();
  });
}

void PrimaryDriver::perform(core::Join effect) {
  primary_.handle_joined(effect.listener, effect.worker, join(groups_.at(effect.listener), effect));
}

core::Primary::JoinResult PrimaryDriver::join(Group& group, const core::Join& join) {
  core::wire::ListenQuery query = join.query;
  query.address = group.address;
  if (group.port) {
    query.port = *group.port;
    query.flags = query.flags.value_or(0) | core::wire::flag_reuse_port;
  }
  auto [socket, error, file] = bind_socket(query, join.user);
  if (error != 0) return {error};
  // The first is bound without it: so a port that another cluster has is refused, and not shared with that.
  if (!group.port) share_port(socket.get());
  if (const int failed = start_listening(socket.get(), query.backlog); failed != 0) return {failed};
  auto name = socket_name(socket.get());
  if (name) group.port = name->port;
  const auto member = group.dispatch->add(socket.get());
  if (const int* failed = std::get_if<int>(&member)) return {*failed};
  group.members[join.worker] = std::get<unsigned>(member);
  OwnedFd counters = group.dispatch->counters(std::get<unsigned>(member));
  return {0, std::move(name), fds_.add(std::move(socket)), fds_.add(std::move(counters))};
}

void PrimaryDriver::perform(core::Part part) {
  const auto group = groups_.find(part.listener);
  if (group == groups_.end()) return;
  const auto member = group->second.members.find(part.worker);
  if (member == group->second.members.end()) return;
  group->second.dispatch->remove(member->second);
  group->second.members.erase(member);
}

bool PrimaryDriver::owns(int fd) const {
  return fds_.contains(fd) || std::any_of(acceptors_.begin(), acceptors_.end(),
                                          [fd](const auto& entry) { return entry.second->descriptor() == fd; });
}

Bound PrimaryDriver::bind(const core::Listen& listen, const std::string& numeric, std::optional<core::BoundSocket>& keep) {
  if (listen.query.fd && owns(*listen.query.fd)) return {{}, EINVAL};
  if (const auto kept = primary_.use_port(listen.listener, numeric)) {
    OwnedFd copy = duplicate(fds_.get(*kept));
    const int error = copy ? 0 : errno;
    return {std::move(copy), error};
  }
  core::wire::ListenQuery query = listen.query;
  if (query.address) query.address = numeric;
  Bound bound = bind_socket(query, listen.user);
  if (bound.error == 0 && primary_.keeps_port(listen.listener)) {
    OwnedFd copy = duplicate(bound.socket.get());
    if (!copy) return {{}, errno};
    keep = describe(copy.get());
    keep->socket = fds_.add(std::move(copy));
    if (bound.file) port_files_[keep->socket] = std::exchange(bound.file, {});
  }
  return bound;
}

core::Primary::ListenResult PrimaryDriver::open(const core::Listen& listen, const std::string& numeric) {
  core::Primary::ListenResult result;
  auto [socket, error, file] = bind(listen, numeric, result.keep);
  result.error_number = error;
  if (error != 0) return result;
  if (listen.mode == core::ListenMode::share) {
    if (file) shared_files_[listen.listener] = std::move(file);
    result.descriptor = fds_.add(std::move(socket));
    return result;
  }

  const bool sticky = primary_.scheduling_policy() == SchedulingPolicy::ip_hash;
  const core::ListenerId id = listen.listener;
  result.socket_name = socket_name(socket.get());
  auto acceptor = std::make_unique<Acceptor>(
      loop_, std::move(socket),
      [this, id, sticky](OwnedFd connection) {
        // A turn is the business of one listening socket; should it not be, nothing is mixed up.
        if (accepted_by_ != id) report_accepted();
        accepted_by_ = id;
        const std::uint64_t client = sticky ? address_hash(connection.get()) : 0;
        // A worker will have it too.
        accepted_.push_back({fds_.add(OwnedFd::shared(connection.release())), client});
        loop_.at_end_of_turn(*this);
      },
      std::move(file));
  result.error_number = acceptor->start(listen.query.backlog);
  if (result.error_number == 0) acceptors_[id] = std::move(acceptor);
  return result;
}

void PrimaryDriver::end_of_turn() {
  report_accepted();
  perform();
}

void PrimaryDriver::report_accepted() {
  if (accepted_.empty() || closed_) return;
  const auto accepted = std::exchange(accepted_, {});
  if (primary_.scheduling_policy() == SchedulingPolicy::least_connections) report_loads(accepted_by_);
  primary_.handle_connections(accepted_by_, accepted);
}

void PrimaryDriver::report_loads(core::ListenerId id) {
  for (auto& [worker_id, worker] : workers_) {
    if (worker.board) {
      // What it has claimed and not answered for is open there and in flight here.
      const auto [first, count] = primary_.unanswered_offers(worker_id);
      const std::uint32_t open = worker.board->open();
      primary_.handle_load(id, worker_id, open - std::min(open, worker.board->claims(first, count)));
    } else if (const auto open = worker.process.open_descriptors()) {
      primary_.handle_load(id, worker_id, *open);
    }
  }
}

void PrimaryDriver::perform(core::StopListening stop) {
  acceptors_.erase(stop.listener);
  if (auto file = shared_files_.extract(stop.listener)) file.mapped().remove();
  groups_.erase(stop.listener);
  rests_.erase(stop.listener);
  watches_.erase(stop.listener);
}

void PrimaryDriver::perform(core::AcceptLast accept) {
  const auto acceptor = acceptors_.extract(accept.listener);
  if (!acceptor) return;
  acceptor.mapped()->accept_queued();
  report_accepted();
}

void PrimaryDriver::perform(core::ClosePort close) {
  fds_.close(close.socket);
  if (auto file = port_files_.extract(close.socket)) file.mapped().remove();
}

void PrimaryDriver::perform(core::CloseDescriptor close) { fds_.close(close.descriptor); }

void PrimaryDriver::perform(core::ProbeConnection probe) {
  primary_.handle_probed(probe.listener, probe.connection,
                         touched(fds_.get(probe.connection)) ? core::Dealer::Probed::touched : core::Dealer::Probed::untouched);
}

void PrimaryDriver::perform(core::Rest rest) {
  call_later(rests_, rest.listener, rest.milliseconds, &core::Primary::handle_rested);
}

void PrimaryDriver::perform(core::Watch watch) {
  call_later(watches_, watch.listener, watch.milliseconds, &core::Primary::handle_look);
}

void PrimaryDriver::call_later(std::map<core::ListenerId, std::unique_ptr<Timer>>& timers, core::ListenerId id,
                               std::uint32_t milliseconds, void (core::Primary::*handle)(core::ListenerId)) {
  auto& timer = timers[id];
  if (!timer) {
    timer = std::make_unique<Timer>(loop_, [this, id, handle] {
      if (closed_) return;
      (primary_.*handle)(id);
      perform();
    });
  }
  timer->start(std::chrono::milliseconds(milliseconds));
}

void PrimaryDriver::perform(core::Choose choose) {
  const auto chosen = sink_.choose(fds_.get(choose.connection), choose.workers);
  if (!closed_) primary_.handle_chosen(choose.listener, choose.connection, chosen);
}

void PrimaryDriver::perform(core::PrimaryEvent event) { sink_.handle_event(std::move(event)); }

void PrimaryDriver::handle_channel(core::WorkerId id, core::Channel::Event& event) {
  if (closed_) return;
  if (auto* received = std::get_if<core::Channel::Received>(&event)) {
    if (auto* message = std::get_if<core::wire::ClusterMessage>(&received->packet.payload)) {
      const auto* back = std::get_if<core::wire::GiveBack>(&message->body);
      if (received->descriptor && back) {
        handle_given_back(id, back->listener, *received->descriptor);
      } else {
        // No other message of a worker's cluster module brings a descriptor.
        if (received->descriptor) fds_.close(*received->descriptor);
        primary_.handle_message(id, std::move(*message));
      }
      perform();
    } else if (const auto* reply = std::get_if<core::wire::OfferReply>(&received->packet.payload)) {
      primary_.handle_message(id, *reply);
      perform();
    } else if (auto* data = std::get_if<Value>(&received->packet.payload)) {
      UserMessage user{std::move(*data)};
      if (received->descriptor) user.handle = UserHandle{*received->packet.handle, fds_.take(*received->descriptor)};
      sink_.handle_message(id, std::move(user));
    } else if (auto* bytes = std::get_if<core::wire::UserBytes>(&received->packet.payload)) {
      UserBytes user{std::move(*bytes)};
      if (received->descriptor) user.handle = UserHandle{*received->packet.handle, fds_.take(*received->descriptor)};
      sink_.handle_message(id, std::move(user));
    } else {
      if (received->descriptor) fds_.close(*received->descriptor);
      if (auto* list = std::get_if<core::wire::SocketListMessage>(&received->packet.payload)) {
        sink_.handle_socket_list(id, std::move(*list));
      }
    }
  } else if (const auto* offered = std::get_if<core::Channel::Offered>(&event)) {
    // Nobody offers a primary anything.
    for (const core::FdToken descriptor : offered->descriptors) fds_.close(descriptor);
  } else if (const auto* sent = std::get_if<core::Channel::Sent>(&event)) {
    sink_.handle_sent(sent->id, sent->error);
  } else if (const auto* lost = std::get_if<core::Channel::NotReceived>(&event)) {
    primary_.handle_not_received(id, lost->descriptor);
    perform();
  } else if (const auto* failed = std::get_if<core::Channel::Failed>(&event)) {
    primary_.handle_error(id, failed->error());
    perform();
  } else if (std::holds_alternative<core::Channel::Closed>(event)) {
    workers_.at(id).disconnected = true;
    // As a rule it has ended. One that is traced does not tell.
    workers_.at(id).process.expect_end();
    primary_.handle_channel_closed(id);
    perform();
    forget_if_gone(id);
  }
}

void PrimaryDriver::handle_given_back(core::WorkerId id, core::QueueNumber listener, core::FdToken connection) {
  const int fd = fds_.get(connection);
  // A worker must not pass anything else it has to another one's server.
  const auto acceptor = acceptors_.find(core::ListenerId{static_cast<std::uint32_t>(listener)});
  if (acceptor == acceptors_.end() || !is_connection_of(fd, acceptor->second->descriptor())) return fds_.close(connection);
  const bool sticky = primary_.scheduling_policy() == SchedulingPolicy::ip_hash;
  // It may not be known yet that the worker has read it.
  if (const ConnectionQueue* queue = queue_of(id)) primary_.handle_read(id, queue->read());
  primary_.handle_given_back(id, listener, {connection, sticky ? address_hash(fd) : 0});
}

void PrimaryDriver::handle_exit(core::WorkerId id, ExitStatus status) {
  // What it said before it went comes first, and the end of its channel with it.
  if (closed_) return;
  workers_.at(id).channel->read_all([this, id, status] {
    if (closed_) return;
    workers_.at(id).exited = true;
    primary_.handle_exit(id, status);
    perform();
    forget_if_gone(id);
  });
}

void PrimaryDriver::forget_if_gone(core::WorkerId id) {
  // Later: its channel or its process is calling just now.
  loop_.next_tick([this, id, alive = std::weak_ptr(self_)] {
    if (!alive.lock()) return;
    const auto found = workers_.find(id);
    if (found != workers_.end() && found->second.exited && found->second.disconnected) workers_.erase(found);
  });
}

core::Channel::SendResult PrimaryDriver::send(core::WorkerId id, UserMessage&& message, std::optional<core::SendId> send_id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return core::Channel::SendResult::closed;
  return send_user_message(*found->second.channel, fds_, found->second.serialization, std::move(message), send_id);
}

core::Channel::SendResult PrimaryDriver::send(core::WorkerId id, UserBytes&& message, std::optional<core::SendId> send_id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return core::Channel::SendResult::closed;
  ChannelIo& channel = *found->second.channel;
  const auto result = send_user_message(channel, fds_, found->second.serialization, std::move(message), send_id);
  // Now, as Node does: what follows may end this process, or keep it busy for long.
  channel.flush();
  // It counts what the system does not take, not what it was not given yet.
  return result != core::Channel::SendResult::backed_up || channel.backed_up() ? result : core::Channel::SendResult::sent;
}

void PrimaryDriver::flush(core::WorkerId id) {
  if (const auto found = workers_.find(id); found != workers_.end() && found->second.channel) found->second.channel->flush();
}

void PrimaryDriver::ref_process(core::WorkerId id, bool ref) {
  if (const auto found = workers_.find(id); found != workers_.end()) found->second.process.ref(ref);
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
