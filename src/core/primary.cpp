#include "core/primary.h"

#include <utility>

#include "core/assert.h"

namespace muster::core {
namespace {

// How long a worker that refused a connection is not offered another. Node offers it at once, for ever
// where it is the only worker.
constexpr std::uint32_t rest_after_refusal_ms = 10;

bool is_datagram(const wire::ListenQuery& query) {
  return query.address_type == AddressType::udp4 || query.address_type == AddressType::udp6;
}

}  // namespace

Primary::Primary(Settings defaults, SchedulingPolicy policy) : settings_(std::move(defaults)), policy_(policy) {
  MUSTER_ASSERT(settings_.exec.has_value());
}

void Primary::set_scheduling_policy(SchedulingPolicy policy) {
  if (!policy_frozen_) policy_ = policy;
}

void Primary::setup_primary(const Settings& changes) {
  policy_frozen_ = true;
  settings_ = merged(std::move(settings_), changes);
  effects_.push_back(SetupEvent{settings_});
}

std::shared_ptr<const WorkerRecord> Primary::fork(const Env& env, std::string_view node_options) {
  // The request first: it throws for settings that cannot be, and then nothing has happened.
  const WorkerId id{next_worker_};
  SpawnRequest request = spawn_request(settings_, env, id, inspect_ports_.next(settings_, node_options));
  setup_primary({});
  ++next_worker_;
  auto worker = std::make_shared<WorkerRecord>(WorkerRecord{id, request.file, request.argv});
  workers_[id] = worker;
  effects_.push_back(Spawn{id, std::move(request)});
  return worker;
}

void Primary::disconnect(WorkerId id) {
  WorkerRecord* worker = find(id);
  if (!worker) return;
  // A second request reaching a Node worker that is closing its channel would end it.
  if (worker->connected && worker->exited_after_disconnect != true) send(id, wire::Disconnect{});
  worker->exited_after_disconnect = true;
  worker->listed = false;
  leave_all(id);
}

bool Primary::disconnect_channel(WorkerId id) {
  WorkerRecord* worker = find(id);
  if (!worker || !worker->connected) return false;
  worker->connected = false;
  effects_.push_back(DisconnectWorker{id});
  // What is dealt to it now would wait until the channel has closed, to be dealt again.
  leave_all(id);
  return true;
}

void Primary::disconnect_all(std::optional<CallbackId> callback) {
  if (callback) disconnect_callbacks_.push_back(*callback);
  for (const auto& worker : records()) {
    if (worker->listed && worker->connected) disconnect(worker->id);
  }
  report_disconnected();
}

std::vector<std::shared_ptr<const WorkerRecord>> Primary::workers() const {
  std::vector<std::shared_ptr<const WorkerRecord>> listed;
  for (const auto& [id, worker] : workers_) {
    if (worker->listed) listed.push_back(worker);
  }
  return listed;
}

void Primary::handle_spawned(WorkerId id, int pid) {
  if (WorkerRecord* worker = find(id)) worker->pid = pid;
  effects_.push_back(ForkEvent{id});
}

void Primary::handle_spawn_failed(WorkerId id, Error error) {
  // Node's order for a program that cannot be started: error, fork, disconnect, and never an exit.
  effects_.push_back(ErrorEvent{id, std::move(error)});
  effects_.push_back(ForkEvent{id});
  WorkerRecord* worker = find(id);
  MUSTER_ASSERT(worker);
  worker->connected = false;
  worker->exited_after_disconnect = worker->exited_after_disconnect.value_or(false);
  worker->lifecycle.report(Report::disconnected);
  worker->listed = false;
  effects_.push_back(DisconnectEvent{id});
  workers_.erase(id);
  report_disconnected();
}

void Primary::handle_message(WorkerId id, wire::ClusterMessage message) {
  WorkerRecord* worker = find(id);
  if (!worker) return;
  std::visit([this, worker, &message](const auto& body) { handle(*worker, message.seq, body); }, message.body);
}

void Primary::handle(WorkerRecord& worker, Seq, const wire::Online& message) {
  if (!worker.lifecycle.report(Report::online)) return;
  worker.muster = message.muster;
  if (message.muster) send(worker.id, wire::Muster{});
  effects_.push_back(OnlineEvent{worker.id});
}

void Primary::handle(WorkerRecord& worker, Seq, const wire::Listening& message) {
  if (!worker.lifecycle.report(Report::listening)) return;
  effects_.push_back(ListeningEvent{
      worker.id, Address{message.query.address_type.value_or(AddressType::tcp4), message.query.address, message.query.port}});
}

void Primary::handle(WorkerRecord& worker, Seq seq, const wire::QueryServer& message) {
  // A worker that is leaving gets no answer; it does not wait for one.
  // One that has exited may be spoken for by a process of its own that holds the channel.
  if (worker.exited_after_disconnect == true || !worker.connected || worker.lifecycle.exited()) return;
  const wire::ListenQuery& query = message.query;
  std::string key = Listeners::key_of(query);
  ListenerId id{};
  Listener* listener = listeners_.find(key, id);
  const Listener::Waiting asked{worker.id, seq};

  // Many sockets may have one address where all of them let others have it (SO_REUSEADDR): the second of this worker is the
  // second of the next one too. What may not be, bind(2) says.
  const std::string name = key;
  for (int n = 1; listener && listener->has(worker.id) && is_datagram(query); ++n) {
    key = name + ":" + std::to_string(n);
    listener = listeners_.find(key, id);
  }
  if (listener && listener->has(worker.id)) {
    // The same worker, the same port: what bind(2) would say. Node 22 and later; earlier ones crash.
    wire::ServerAnswer answer{-static_cast<int>(std::errc::address_in_use),
                              key + ":" + std::to_string(static_cast<std::uint64_t>(seq)), query.data};
    send(worker.id, wire::Reply{seq, {}, std::move(answer)});
    return;
  }
  if (!listener) {
    // Datagrams cannot be dealt: whoever reads one has it.
    const bool share = policy_ == SchedulingPolicy::none || is_datagram(query);
    std::variant<RoundRobin, SharedHandle> scheduler;
    if (share) scheduler.emplace<SharedHandle>();
    std::tie(id, listener) = listeners_.add(std::move(key), std::move(scheduler));
    listener->datagram = is_datagram(query);
    effects_.push_back(Listen{id, query, share ? ListenMode::share : ListenMode::accept});
  }
  if (!listener->data.truthy()) listener->data = query.data;
  if (listener->phase == Listener::Phase::open) {
    answer(*listener, asked, 0);
  } else {
    listener->waiting.push_back(asked);
  }
  std::visit([&worker](auto& scheduler) { scheduler.add(worker.id); }, listener->scheduler);
  settle(id);
}

void Primary::answer(Listener& listener, Listener::Waiting waiting, int error_number) {
  wire::ServerAnswer answer{{}, listener.key, listener.data};
  std::optional<FdToken> descriptor;
  if (error_number != 0) {
    answer.error_number = -error_number;
  } else if (const auto* shared = std::get_if<SharedHandle>(&listener.scheduler)) {
    answer.error_number = 0;
    descriptor = shared->descriptor;
  } else {
    answer.socket_name = listener.socket_name;
  }
  const auto kind = listener.datagram ? wire::HandleKind::dgram_native : wire::HandleKind::net_native;
  send(waiting.worker, wire::Reply{waiting.query, {}, std::move(answer)}, descriptor, kind);
}

void Primary::handle_listening(ListenerId id, ListenResult result) {
  Listener* listener = listeners_.find(id);
  MUSTER_ASSERT(listener && listener->phase == Listener::Phase::opening);
  const auto waiting = std::exchange(listener->waiting, {});
  if (result.error_number != 0) {
    for (const auto& asked : waiting) answer(*listener, asked, result.error_number);
    listeners_.erase(id);
    report_disconnected();
    return;
  }
  listener->phase = Listener::Phase::open;
  listener->socket_name = std::move(result.socket_name);
  if (auto* shared = std::get_if<SharedHandle>(&listener->scheduler)) shared->descriptor = result.descriptor;
  for (const auto& asked : waiting) answer(*listener, asked, 0);
  settle(id);
}

void Primary::handle_connection(ListenerId id, FdToken connection) {
  Listener* listener = listeners_.find(id);
  RoundRobin* round_robin = listener ? listener->round_robin() : nullptr;
  if (!round_robin) {
    effects_.push_back(CloseDescriptor{connection});
    return;
  }
  round_robin->accepted(connection);
  settle(id);
}

void Primary::handle_probed(ListenerId id, FdToken connection, bool touched) {
  Listener* listener = listeners_.find(id);
  MUSTER_ASSERT(listener && listener->round_robin());
  listener->round_robin()->probed(connection, touched);
  settle(id);
}

void Primary::handle_rested(ListenerId id) {
  Listener* listener = listeners_.find(id);
  if (!listener || !listener->round_robin()) return;
  listener->round_robin()->rested();
  settle(id);
}

void Primary::handle(WorkerRecord& worker, Seq, const wire::Close& message) {
  ListenerId id{};
  const Listener* listener = listeners_.find(message.key, id);
  if (listener && listener->has(worker.id)) leave(id, worker.id);
}

void Primary::handle(WorkerRecord& worker, Seq seq, const wire::ExitedAfterDisconnect&) {
  worker.exited_after_disconnect = true;
  send(worker.id, wire::Reply{seq});
}

void Primary::handle(WorkerRecord& worker, Seq, const wire::Reply& message) {
  const auto found = handoffs_.find(message.ack);
  // A reply to nothing, or to what another worker was asked, is ignored.
  if (found == handoffs_.end() || found->second.worker != worker.id) return;
  conclude(found, message.accepted.value_or(false));
}

void Primary::handle_not_received(WorkerId worker, FdToken connection) {
  for (auto handoff = handoffs_.begin(); handoff != handoffs_.end(); ++handoff) {
    if (handoff->second.worker != worker) continue;
    const RoundRobin* round_robin = listeners_.find(handoff->second.listener)->round_robin();
    if (round_robin->in_flight(worker) == connection) return conclude(handoff, false);
  }
}

void Primary::conclude(std::map<Seq, Handoff>::iterator handoff, bool accepted) {
  const auto [worker, id] = handoff->second;
  handoffs_.erase(handoff);
  Listener* listener = listeners_.find(id);
  MUSTER_ASSERT(listener && listener->round_robin());
  listener->round_robin()->replied(worker, accepted);
  settle(id);
}

void Primary::leave(ListenerId id, WorkerId worker) {
  Listener* listener = listeners_.find(id);
  std::visit([worker](auto& scheduler) { scheduler.remove(worker); }, listener->scheduler);
  std::erase_if(listener->waiting, [worker](const Listener::Waiting& asked) { return asked.worker == worker; });
  settle(id);
}

void Primary::leave_all(WorkerId worker) {
  for (const ListenerId id : listeners_.ids()) leave(id, worker);
}

void Primary::lose(WorkerId worker) {
  std::erase_if(handoffs_, [worker](const auto& entry) { return entry.second.worker == worker; });
  for (const ListenerId id : listeners_.ids()) {
    // Also where it had left already: it may have died with a connection that it was still to answer for.
    if (RoundRobin* round_robin = listeners_.find(id)->round_robin()) round_robin->lost(worker);
    leave(id, worker);
  }
}

void Primary::settle(ListenerId id) {
  Listener* listener = listeners_.find(id);
  RoundRobin* round_robin = listener->round_robin();
  while (const auto effect = round_robin ? round_robin->poll_effect() : std::nullopt) {
    if (const auto* handoff = std::get_if<RoundRobin::Handoff>(&*effect)) {
      handoffs_.emplace(Seq{next_seq_}, Handoff{handoff->worker, id});
      send(handoff->worker, wire::NewConnection{listener->key}, handoff->connection);
    } else if (const auto* close = std::get_if<RoundRobin::Close>(&*effect)) {
      effects_.push_back(CloseDescriptor{close->connection});
    } else if (const auto* probe = std::get_if<RoundRobin::Probe>(&*effect)) {
      effects_.push_back(ProbeConnection{id, probe->connection});
    } else {
      effects_.push_back(Rest{id, rest_after_refusal_ms});
    }
  }
  if (listener->phase == Listener::Phase::open && !listener->has_workers()) {
    listener->phase = Listener::Phase::draining;
    listeners_.retire(id);
    effects_.push_back(StopListening{id});
    if (const auto* shared = std::get_if<SharedHandle>(&listener->scheduler)) {
      effects_.push_back(CloseDescriptor{*shared->descriptor});
    }
  }
  if (listener->phase == Listener::Phase::draining && (!round_robin || round_robin->settled())) listeners_.erase(id);
  report_disconnected();
}

void Primary::handle_error(WorkerId id, Error error) { effects_.push_back(ErrorEvent{id, std::move(error)}); }

void Primary::handle_channel_closed(WorkerId id) {
  WorkerRecord* worker = find(id);
  if (!worker || !worker->lifecycle.report(Report::disconnected)) return;
  worker->connected = false;
  worker->exited_after_disconnect = worker->exited_after_disconnect.value_or(false);
  lose(id);
  forget_if_gone(*worker);
  effects_.push_back(DisconnectEvent{id});
  report_disconnected();
}

void Primary::handle_exit(WorkerId id, ExitStatus status) {
  WorkerRecord* worker = find(id);
  if (!worker || !worker->lifecycle.report(Report::exited)) return;
  worker->exit_status = status;
  worker->exited_after_disconnect = worker->exited_after_disconnect.value_or(false);
  lose(id);
  forget_if_gone(*worker);
  effects_.push_back(ExitEvent{id, status});
  report_disconnected();
}

void Primary::forget_if_gone(WorkerRecord& worker) {
  if (!worker.lifecycle.gone()) return;
  worker.listed = false;
  workers_.erase(worker.id);
}

void Primary::report_disconnected() {
  if (disconnect_callbacks_.empty() || !listeners_.empty()) return;
  for (const auto& [id, worker] : workers_) {
    if (!worker->lifecycle.disconnected()) return;
  }
  for (const CallbackId callback : std::exchange(disconnect_callbacks_, {})) effects_.push_back(AllDisconnectedEvent{callback});
}

WorkerRecord* Primary::find(WorkerId id) {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

std::vector<std::shared_ptr<WorkerRecord>> Primary::records() const {
  std::vector<std::shared_ptr<WorkerRecord>> all;
  for (const auto& [id, worker] : workers_) all.push_back(worker);
  return all;
}

void Primary::send(WorkerId worker, wire::Body body, std::optional<FdToken> descriptor, wire::HandleKind kind) {
  SendToWorker effect{worker, {std::move(body), Seq{next_seq_++}}, descriptor};
  if (descriptor) effect.handle = wire::HandleInfo{kind};
  effects_.push_back(std::move(effect));
}

std::optional<PrimaryEffect> Primary::poll_effect() {
  if (effects_.empty()) return std::nullopt;
  std::optional<PrimaryEffect> effect(std::move(effects_.front()));
  effects_.pop_front();
  return effect;
}

}  // namespace muster::core
