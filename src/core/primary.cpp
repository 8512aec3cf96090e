// SPDX-License-Identifier: MIT
#include "core/primary.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "core/limits.h"

namespace muster::core {
namespace {

// How long a worker that refused a connection is not offered another. Node offers it at once, for ever
// where it is the only worker.
constexpr std::uint32_t rest_after_refusal_ms = 10;

// How often a worker is checked for being stuck; it is when it has not answered for its oldest connection in all that time.
constexpr std::uint32_t look_after_ms = 10;

bool not_permitted(const Listener& listener, int error_number) {
  return listener.user && std::errc{error_number} == std::errc::permission_denied;
}

// `none` is nobody's.
Dealer::Policy dealer_policy(SchedulingPolicy policy) {
  switch (policy) {
    case SchedulingPolicy::least_connections: return Dealer::Policy::least_connections;
    case SchedulingPolicy::ip_hash: return Dealer::Policy::ip_hash;
    case SchedulingPolicy::custom: return Dealer::Policy::ask;
    default: return Dealer::Policy::round_robin;
  }
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
  // Node's defaults.
  if (!settings_.silent) settings_.silent = false;
  if (!settings_.exec_argv) settings_.exec_argv.emplace();
  effects_.push_back(SetupEvent{settings_});
}

std::shared_ptr<const WorkerRecord> Primary::fork(WorkerId id, const Env& env, std::string_view node_options,
                                                  std::optional<int> inspect_port) {
  return start(id, spawn_request(settings_, env, id, inspect_ports_.next(settings_, node_options, inspect_port)));
}

std::shared_ptr<const WorkerRecord> Primary::fork(WorkerId id, Settings settings, std::vector<std::string> environment,
                                                  std::string_view node_options, std::optional<int> inspect_port) {
  SpawnRequest request = spawn_request(settings, {}, id, inspect_ports_.next(settings, node_options, inspect_port));
  request.env.clear();
  request.whole_env = std::move(environment);
  settings_ = std::move(settings);
  return start(id, std::move(request));
}

std::shared_ptr<const WorkerRecord> Primary::start(WorkerId id, SpawnRequest&& request) {
  setup_primary({});
  auto worker = std::make_shared<WorkerRecord>(WorkerRecord{id, request.file, request.argv});
  worker->queue_descriptor = request.queue_descriptor;
  worker->rights = std::make_shared<const ListenRights>(settings_, host_);
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
  const wire::ExtensionVersion extension = wire::common_extension(message.extension);
  worker.muster = extension != wire::no_extension;
  if (worker.muster) effects_.push_back(ShareBoard{worker.id, {wire::Muster{extension}, Seq{next_seq_++}}});
  effects_.push_back(OnlineEvent{worker.id});
}

void Primary::handle(WorkerRecord& worker, Seq, const wire::Muster&) {
  worker.takes_offers = worker.muster && worker.has_board;
  // One with a queue keeps what it began with elsewhere: what is in flight to it there is not in the queue.
  if (worker.has_queue) return;
  for (const ListenerId id : listeners_.ids()) {
    Listener* listener = listeners_.find(id);
    if (Dealer* dealer = listener->dealer(); dealer && dealer->has(worker.id)) {
      dealer->set_intake(worker.id, intake(worker, *listener));
      settle(id);
    }
  }
}

void Primary::handle_no_board(WorkerId id) {
  if (WorkerRecord* worker = find(id)) worker->has_board = false;
}

void Primary::handle(WorkerRecord& worker, Seq, const wire::Queue& message) {
  // It cannot open it, or does not know this one.
  if (message.extension < wire::first_with_queue) return handle_no_queue(worker.id);
  if (worker.has_queue || !worker.queue_descriptor) return;
  worker.has_queue = true;
  send(worker.id, wire::Queue{wire::common_extension(message.extension), worker.queue_descriptor});
}

void Primary::handle_no_queue(WorkerId id) {
  WorkerRecord* worker = find(id);
  if (!worker) return;
  worker->queue_descriptor.reset();
  if (!std::exchange(worker->has_queue, false)) return;
  for (const ListenerId listener : listeners_.ids()) {
    if (Dealer* dealer = listeners_.find(listener)->dealer()) dealer->set_intake(id, Dealer::Intake::message);
    drain(id, listener);
    settle(listener);
  }
}

// One that does not take offers, or could not be told which socket they are for in a line of text, has one at a time.
Dealer::Intake Primary::intake(const WorkerRecord& worker, const Listener& listener) const {
  if (worker.has_queue) return Dealer::Intake::queue;
  const bool takes_offers = worker.takes_offers && listener.key.find('\n') == std::string::npos;
  return takes_offers ? Dealer::Intake::offers : Dealer::Intake::message;
}

void Primary::handle(WorkerRecord& worker, Seq, const wire::Listening& message) {
  if (!worker.lifecycle.report(Report::listening)) return;
  const auto& [query] = message;
  effects_.push_back(ListeningEvent{worker.id,
                                    Address{query.address_type.value_or(AddressType::tcp4), query.address, query.port},
                                    query.address_type.has_value(), query.fd});
}

void Primary::handle(WorkerRecord& worker, Seq seq, const wire::QueryServer& message) {
  // A worker that is leaving gets no answer; it does not wait for one.
  // One that has exited may be spoken for by a process of its own that holds the channel.
  if (worker.exited_after_disconnect == true || !worker.connected || worker.lifecycle.exited()) return;
  wire::ListenQuery query = message.query;
  // Not a worker's to ask for: the socket could join those of another process of this one's user.
  if (query.flags) *query.flags &= ~wire::flag_reuse_port;
  std::string key = Listeners::key_of(query);
  const auto judged = worker.rights->judge(query);
  const auto* granted = std::get_if<ListenRights::Granted>(&judged);
  if (!granted) {
    tell_not_permitted(worker.id, query);
    return refuse(worker.id, seq, std::move(key), query.data, std::errc::permission_denied);
  }
  Listener* listener = listeners_.find(key);
  const Listener::Waiting asked{worker.id, seq};

  // Many sockets may have one address where all of them let others have it (SO_REUSEADDR): the second of this worker is the
  // second of the next one too. What may not be, bind(2) says.
  const std::string name = key;
  for (int n = 1; listener && listener->has(worker.id) && wire::is_datagram(query); ++n) {
    key = name + ":" + std::to_string(n);
    listener = listeners_.find(key);
  }
  if (listener && (listener->has(worker.id) || !worker.rights->may_share(*granted, listener->user))) {
    // The same worker, the same port; or another user's. What bind(2) would say. Node 22 and later; earlier ones crash.
    if (!listener->has(worker.id)) tell_of_others(worker.id, query);
    return refuse(worker.id, seq, key, query.data, std::errc::address_in_use);
  }
  if (listener && std::holds_alternative<KernelHandle>(listener->scheduler) && !worker.muster) {
    // It cannot count what it accepts, which the program in the kernel goes by.
    return refuse(worker.id, seq, key, query.data, std::errc::operation_not_supported);
  }
  if (!listener) {
    if (listeners_.size() >= host_.max_listeners || listeners_.count_of(worker.id) >= host_.max_listeners_of_worker) {
      return refuse(worker.id, seq, key, query.data, std::errc::too_many_files_open);
    }
    const ListenMode mode = mode_for(worker, query);
    std::variant<Dealer, SharedHandle, KernelHandle> scheduler{Dealer(dealer_policy(policy_))};
    if (mode == ListenMode::share) scheduler.emplace<SharedHandle>();
    if (mode == ListenMode::kernel) scheduler.emplace<KernelHandle>();
    listener = &listeners_.add(std::move(key), std::move(scheduler));
    listener->datagram = wire::is_datagram(query);
    listener->query = query;
    listener->user = granted->user;
    effects_.push_back(Listen{listener->id, query, mode, granted->user});
  }
  if (!listener->data.truthy()) listener->data = query.data;
  add(worker, *listener);
  if (std::holds_alternative<KernelHandle>(listener->scheduler)) {
    listener->waiting.push_back(asked);
    if (listener->phase == Listener::Phase::open)
      effects_.push_back(Join{listener->id, worker.id, listener->query, listener->user});
  } else if (listener->phase == Listener::Phase::open) {
    answer(*listener, asked, 0);
  } else {
    listener->waiting.push_back(asked);
  }
  settle(listener->id);
}

void Primary::add(const WorkerRecord& worker, Listener& listener) {
  if (Dealer* dealer = listener.dealer()) {
    dealer->add(worker.id, intake(worker, listener));
  } else if (auto* kernel = std::get_if<KernelHandle>(&listener.scheduler)) {
    kernel->add(worker.id);
  } else {
    std::get<SharedHandle>(listener.scheduler).add(worker.id);
  }
}

ListenMode Primary::mode_for(const WorkerRecord& worker, const wire::ListenQuery& query) const {
  // Datagrams cannot be dealt: whoever reads one has it.
  if (policy_ == SchedulingPolicy::none || wire::is_datagram(query)) return ListenMode::share;
  const bool tcp = (query.address_type == AddressType::tcp4 || query.address_type == AddressType::tcp6) && !query.fd;
  // Only TCP sockets can be many of one address, and only muster's workers count what they accept.
  if (policy_ == SchedulingPolicy::kernel && tcp && worker.muster) return ListenMode::kernel;
  return ListenMode::accept;
}

void Primary::refuse(WorkerId worker, Seq query, std::string key, Value data, std::errc error) {
  key += ":" + std::to_string(static_cast<std::uint64_t>(query));
  send(worker, wire::Reply{query, {}, wire::ServerAnswer{-static_cast<int>(error), std::move(key), std::move(data)}});
}

void Primary::tell_not_permitted(WorkerId worker, const wire::ListenQuery& query) {
  const bool path = query.address_type == AddressType::pipe;
  Error error{Errc::listen_not_permitted, {}, "bind", query.address.value_or(""), query.port};
  if (query.fd && *query.fd >= 0) {
    error.port.reset();
    error.address.clear();
    error.message = "descriptor " + std::to_string(*query.fd) + " is not one that workers may listen on";
  } else if (path) {
    error.port.reset();
    error.message = "its user may not listen on " + error.address;
  } else {
    error.message = "its user may not listen on port " + std::to_string(query.port.value_or(0));
  }
  effects_.push_back(ErrorEvent{worker, std::move(error)});
}

void Primary::tell_of_others(WorkerId worker, const wire::ListenQuery& query) {
  Error error{Errc::listen_not_permitted, {}, "bind", query.address.value_or(""), query.port};
  if (query.address_type == AddressType::pipe) {
    error.port.reset();
    error.message = error.address + " was opened with other rights than its user's";
  } else {
    error.message = "port " + std::to_string(query.port.value_or(0)) + " was opened with other rights than its user's";
  }
  effects_.push_back(ErrorEvent{worker, std::move(error)});
}

void Primary::handle_no_kernel(ListenerId id) {
  policy_ = SchedulingPolicy::round_robin;
  Listener* listener = listeners_.find(id);
  MUSTER_ASSERT(listener && listener->phase == Listener::Phase::opening);
  const auto workers = std::get<KernelHandle>(listener->scheduler).workers();
  listener->scheduler.emplace<Dealer>(Dealer::Policy::round_robin);
  for (const WorkerId worker : workers) {
    if (const WorkerRecord* record = find(worker)) add(*record, *listener);
  }
  effects_.push_back(Listen{id, listener->query, ListenMode::accept, listener->user});
}

void Primary::handle_joined(ListenerId id, WorkerId worker, JoinResult result) {
  Listener* listener = listeners_.find(id);
  const auto asked = !listener ? std::vector<Listener::Waiting>::iterator()
                               : std::find_if(listener->waiting.begin(), listener->waiting.end(),
                                              [worker](const Listener::Waiting& waiting) { return waiting.worker == worker; });
  if (!listener || asked == listener->waiting.end()) {
    // It has left in the meantime.
    for (const auto descriptor : {result.descriptor, result.counters}) {
      if (descriptor) effects_.push_back(CloseDescriptor{*descriptor});
    }
    return;
  }
  const Seq query = asked->query;
  listener->waiting.erase(asked);
  if (result.error_number != 0) {
    refuse(worker, query, listener->key, listener->data, std::errc{result.error_number});
    if (not_permitted(*listener, result.error_number)) tell_not_permitted(worker, listener->query);
    return leave(id, worker);
  }
  give(worker, wire::Counters{listener->key}, *result.counters, wire::HandleKind::descriptor);
  wire::ServerAnswer answer{0, listener->key, listener->data};
  give(worker, wire::Reply{query, {}, std::move(answer)}, *result.descriptor, wire::HandleKind::net_native);
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
    const WorkerRecord* const worker = find(waiting.worker);
    if (worker && worker->has_queue) answer.queue = QueueNumber{static_cast<std::uint32_t>(listener.id)};
  }
  const auto kind = listener.datagram ? wire::HandleKind::dgram_native : wire::HandleKind::net_native;
  send(waiting.worker, wire::Reply{waiting.query, {}, std::move(answer)}, descriptor, kind);
}

void Primary::handle_listening(ListenerId id, ListenResult result) {
  Listener* listener = listeners_.find(id);
  MUSTER_ASSERT(listener && listener->phase == Listener::Phase::opening);
  if (result.keep) {
    const auto closed = ports_.add({listener->key, std::move(*result.keep), false, false, listener->user, {id}});
    if (closed) effects_.push_back(ClosePort{*closed});
  }
  if (result.error_number == 0 && std::holds_alternative<KernelHandle>(listener->scheduler)) {
    listener->phase = Listener::Phase::open;
    for (const auto& asked : listener->waiting) effects_.push_back(Join{id, asked.worker, listener->query, listener->user});
    return settle(id);
  }
  const auto waiting = std::exchange(listener->waiting, {});
  if (result.error_number != 0) {
    for (const auto& asked : waiting) answer(*listener, asked, result.error_number);
    if (not_permitted(*listener, result.error_number)) {
      for (const auto& asked : waiting) tell_not_permitted(asked.worker, listener->query);
    }
    ports_.leave(id);
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

void Primary::handle_connections(ListenerId id, std::span<const Connection> connections) {
  Listener* listener = listeners_.find(id);
  Dealer* dealer = listener ? listener->dealer() : nullptr;
  for (const Connection& connection : connections) {
    if (dealer) {
      dealer->accepted(connection);
    } else {
      effects_.push_back(CloseDescriptor{connection.token});
    }
  }
  if (dealer) settle(id);
}

void Primary::handle_load(ListenerId id, WorkerId worker, std::size_t open) {
  Listener* listener = listeners_.find(id);
  if (Dealer* dealer = listener ? listener->dealer() : nullptr) dealer->set_load(worker, open);
}

void Primary::handle_revoked(WorkerId worker, ListenerId id, FdToken connection, std::uint64_t number,
                             Dealer::Revoked revoked) {
  if (revoked == Dealer::Revoked::taken_back) handoffs_.take_back(worker, number);
  listeners_.find(id)->dealer()->revoked(worker, connection, revoked);
  settle(id);
}

void Primary::handle_not_queued(WorkerId worker, std::span<const FdToken> connections) {
  std::map<ListenerId, std::vector<Dealer::CameBack>> back;
  for (const FdToken connection : connections) {
    const auto queued = handoffs_.unqueue(worker, connection);
    MUSTER_ASSERT(queued);
    back[*queued->listener].push_back({connection, connection});
  }
  for (const auto& [id, of_listener] : back) {
    Dealer& dealer = *listeners_.find(id)->dealer();
    dealer.rest(worker);
    dealer.came_back(worker, of_listener);
    settle(id);
  }
}

void Primary::handle_read(WorkerId worker, std::uint64_t total) {
  bool lives = false;
  for (const auto& [id, connection] : handoffs_.read(worker, total)) {
    if (id) {
      listeners_.find(*id)->dealer()->replied(worker, connection, Dealer::Answer::taken);
    } else {
      lives = true;
    }
  }
  for (const ListenerId id : listeners_.ids()) {
    if (Dealer* dealer = listeners_.find(id)->dealer()) {
      if (lives) dealer->returned(worker);
      dealer->counted(worker);
      settle(id);
    }
  }
}

void Primary::handle_drained(WorkerId worker, std::uint64_t total_read, std::span<const std::optional<FdToken>> unread) {
  handle_read(worker, total_read);
  const auto drained = handoffs_.drain(worker, unread.size());
  std::map<ListenerId, std::vector<Dealer::CameBack>> back;
  bool pinged = false;
  for (std::size_t i = 0; i < unread.size(); ++i) {
    const auto listener = i < drained.size() ? drained[i].listener : std::nullopt;
    if (listener && unread[i]) {
      back[*listener].push_back({drained[i].connection, *unread[i]});
    } else if (listener) {
      // The worker has read a part of the message, and its descriptor; or this process has no room for that.
      listeners_.find(*listener)->dealer()->replied(worker, drained[i].connection, Dealer::Answer::taken);
    } else if (unread[i]) {
      effects_.push_back(CloseDescriptor{*unread[i]});
    } else {
      pinged = true;
    }
  }
  const WorkerRecord* const record = find(worker);
  if (!record || record->lifecycle.disconnected()) handoffs_.forget_queue(worker);
  for (const auto& [id, of_listener] : back) {
    listeners_.find(id)->dealer()->came_back(worker, of_listener);
    settle(id);
  }
  // It is still to answer.
  if (pinged && record && record->connected && record->has_queue) {
    handoffs_.ping(worker);
    effects_.push_back(PingQueue{worker});
  }
  for (const ListenerId id : listeners_.ids()) settle(id);
}

void Primary::handle_given_back(WorkerId worker, QueueNumber number, Connection connection) {
  Listener* listener = listeners_.find(ListenerId{static_cast<std::uint32_t>(number)});
  if (!listener || !listener->dealer() || !handoffs_.give_back(worker)) {
    effects_.push_back(CloseDescriptor{connection.token});
    return;
  }
  listener->dealer()->rest(worker);
  listener->dealer()->given_back(connection);
  settle(listener->id);
}

void Primary::handle_look(ListenerId id) {
  Listener* listener = listeners_.find(id);
  if (!listener || !listener->dealer()) return;
  listener->dealer()->look();
  settle(id);
}

void Primary::handle_chosen(ListenerId id, FdToken connection, std::optional<WorkerId> worker) {
  listeners_.find(id)->dealer()->chosen(connection, worker);
  settle(id);
}

void Primary::handle_probed(ListenerId id, FdToken connection, Dealer::Probed probed) {
  Listener* listener = listeners_.find(id);
  MUSTER_ASSERT(listener && listener->dealer());
  listener->dealer()->probed(connection, probed);
  settle(id);
}

void Primary::handle_rested(ListenerId id) {
  Listener* listener = listeners_.find(id);
  if (!listener || !listener->dealer()) return;
  listener->dealer()->rested();
  settle(id);
}

void Primary::handle(WorkerRecord& worker, Seq, const wire::Close& message) {
  const Listener* listener = listeners_.find(message.key);
  if (listener && listener->has(worker.id)) leave(listener->id, worker.id);
}

void Primary::handle(WorkerRecord& worker, Seq seq, const wire::ExitedAfterDisconnect&) {
  worker.exited_after_disconnect = true;
  send(worker.id, wire::Reply{seq});
}

void Primary::handle(WorkerRecord& worker, Seq, const wire::Reply& message) {
  const auto handoff = handoffs_.take(worker.id, message.ack);
  // A reply to nothing, or to what another worker was asked, is ignored.
  if (handoff) conclude(*handoff, message.accepted.value_or(false) ? Dealer::Answer::accepted : Dealer::Answer::refused);
}

void Primary::handle_message(WorkerId id, const wire::OfferReply& reply) {
  std::vector<ListenerId> answered;
  for (const auto& [handoff, answer] : handoffs_.answer(id, reply)) {
    using Answer = Handoffs::Answered::Answer;
    Listener* listener = listeners_.find(handoff.listener);
    if (!listener) continue;  // settled without what was taken back
    switch (answer) {
      case Answer::accepted: listener->dealer()->replied(id, handoff.connection, Dealer::Answer::accepted); break;
      case Answer::refused: listener->dealer()->replied(id, handoff.connection, Dealer::Answer::refused); break;
      case Answer::taken_back: listener->dealer()->returned(id); break;
    }
    if (std::find(answered.begin(), answered.end(), handoff.listener) == answered.end()) answered.push_back(handoff.listener);
  }
  for (const ListenerId listener : answered) settle(listener);
}

void Primary::handle_not_received(WorkerId worker, FdToken connection) {
  if (const auto handoff = handoffs_.take(worker, connection)) conclude(*handoff, Dealer::Answer::refused);
}

void Primary::conclude(const Handoffs::Handoff& handoff, Dealer::Answer answer) {
  Listener* listener = listeners_.find(handoff.listener);
  MUSTER_ASSERT(listener && listener->dealer());
  listener->dealer()->replied(handoff.worker, handoff.connection, answer);
  settle(handoff.listener);
}

void Primary::leave(ListenerId id, WorkerId worker) {
  Listener* listener = listeners_.find(id);
  if (std::holds_alternative<KernelHandle>(listener->scheduler) && listener->has(worker)) effects_.push_back(Part{id, worker});
  std::visit([worker](auto& scheduler) { scheduler.remove(worker); }, listener->scheduler);
  std::erase_if(listener->waiting, [worker](const Listener::Waiting& asked) { return asked.worker == worker; });
  drain(worker, id);
  settle(id);
}

void Primary::drain(WorkerId worker, ListenerId id) {
  if (!handoffs_.is_queued(worker, id)) return;
  push_gathered();
  effects_.push_back(DrainQueue{worker});
}

void Primary::leave_all(WorkerId worker) {
  for (const ListenerId id : listeners_.ids()) leave(id, worker);
}

void Primary::lose(const WorkerRecord& worker) {
  handoffs_.lose(worker.id);
  for (const ListenerId id : listeners_.ids()) {
    // Also where it had left already: it may have died with a connection that it was still to answer for.
    if (Dealer* dealer = listeners_.find(id)->dealer()) {
      dealer->lost(worker.id);
      if (worker.lifecycle.exited()) {
        dealer->died(worker.id);
      } else {
        dealer->lives_on(worker.id);
      }
    }
    leave(id, worker.id);
  }
  handoffs_.forget(worker.id);
  if (worker.has_queue) {
    effects_.push_back(DrainQueue{worker.id});
  } else {
    handoffs_.forget_queue(worker.id);
  }
}

void Primary::hand_over(const Listener& listener, const Dealer::Handoff& handoff) {
  const WorkerRecord* worker = find(handoff.worker);
  MUSTER_ASSERT(worker);
  const Handoffs::Handoff entry{handoff.worker, listener.id, handoff.connection};
  if (handoff.intake == Dealer::Intake::queue) {
    handoffs_.queue(entry);
    const QueueNumber queue{static_cast<std::uint32_t>(listener.id)};
    auto queueing = std::find_if(queueing_.begin(), queueing_.end(),
                                 [&handoff](const Enqueue& one) { return one.worker == handoff.worker; });
    if (queueing == queueing_.end()) queueing = queueing_.insert(queueing, {handoff.worker, queue, {}});
    queueing->connections.push_back(handoff.connection);
    return;
  }
  if (handoff.intake == Dealer::Intake::offers) {
    if (const auto number = handoffs_.offer(entry)) {
      auto offering = std::find_if(offering_.begin(), offering_.end(),
                                   [&handoff](const Offer& offer) { return offer.worker == handoff.worker; });
      if (offering == offering_.end()) offering = offering_.insert(offering, {handoff.worker, listener.key, *number, {}});
      offering->connections.push_back(handoff.connection);
      return;
    }
  }
  handoffs_.send(Seq{next_seq_}, entry);
  send(handoff.worker, wire::NewConnection{listener.key}, handoff.connection);
}

// What went by Node's message cannot be taken back, unless the worker is gone with it.
void Primary::revoke(Listener& listener, const Dealer::Revoke& revoke) {
  if (const auto number = handoffs_.find_offer(revoke.worker, revoke.connection)) {
    effects_.push_back(RevokeOffer{revoke.worker, *number, listener.id, revoke.connection});
  } else {
    listener.dealer()->revoked(revoke.worker, revoke.connection, Dealer::Revoked::claimed);
  }
}

void Primary::settle(ListenerId id) {
  Listener* listener = listeners_.find(id);
  Dealer* dealer = listener->dealer();
  struct Performer {
    Primary& primary;
    ListenerId id;
    Listener& listener;
    void operator()(const Dealer::Handoff& handoff) const { primary.hand_over(listener, handoff); }
    void operator()(const Dealer::Count& count) const {
      primary.push_gathered();
      primary.effects_.push_back(CountUnread{count.worker});
    }
    void operator()(const Dealer::AwaitRoom& await) const { primary.effects_.push_back(AwaitRoom{await.worker}); }
    void operator()(const Dealer::Drain& drain) const {
      primary.push_gathered();
      primary.effects_.push_back(DrainQueue{drain.worker});
    }
    void operator()(const Dealer::Ping& ping) const {
      primary.push_gathered();
      primary.handoffs_.ping(ping.worker);
      primary.effects_.push_back(PingQueue{ping.worker});
    }
    void operator()(const Dealer::Revoke& revoke) const { primary.revoke(listener, revoke); }
    void operator()(const Dealer::Close& close) const { primary.effects_.push_back(CloseDescriptor{close.connection}); }
    void operator()(const Dealer::Probe& probe) const { primary.effects_.push_back(ProbeConnection{id, probe.connection}); }
    void operator()(const Dealer::Rest&) const { primary.effects_.push_back(Rest{id, rest_after_refusal_ms}); }
    void operator()(const Dealer::Watch&) const { primary.effects_.push_back(Watch{id, look_after_ms}); }
    void operator()(const Dealer::Ask& ask) const {
      primary.effects_.push_back(Choose{id, ask.connection, listener.dealer()->candidates()});
    }
  };
  while (const auto effect = dealer ? dealer->poll_effect() : std::nullopt)
    std::visit(Performer{*this, id, *listener}, *effect);
  push_gathered();
  if (listener->phase == Listener::Phase::open && !listener->has_workers()) {
    listener->phase = Listener::Phase::draining;
    listeners_.retire(id);
    ports_.leave(id);
    effects_.push_back(StopListening{id});
    if (const auto* shared = std::get_if<SharedHandle>(&listener->scheduler)) {
      effects_.push_back(CloseDescriptor{*shared->descriptor});
    }
  }
  if (listener->phase == Listener::Phase::draining && (!dealer || dealer->settled())) listeners_.erase(id);
  report_disconnected();
}

void Primary::push_gathered() {
  for (Offer& offer : std::exchange(offering_, {})) effects_.push_back(std::move(offer));
  for (Enqueue& enqueue : std::exchange(queueing_, {})) effects_.push_back(std::move(enqueue));
}

void Primary::handle_error(WorkerId id, Error error) { effects_.push_back(ErrorEvent{id, std::move(error)}); }

void Primary::handle_channel_closed(WorkerId id) {
  WorkerRecord* worker = find(id);
  if (!worker || !worker->lifecycle.report(Report::disconnected)) return;
  worker->connected = false;
  worker->exited_after_disconnect = worker->exited_after_disconnect.value_or(false);
  lose(*worker);
  forget_if_gone(*worker);
  effects_.push_back(DisconnectEvent{id});
  report_disconnected();
}

void Primary::handle_exit(WorkerId id, ExitStatus status) {
  WorkerRecord* worker = find(id);
  if (!worker || !worker->lifecycle.report(Report::exited)) return;
  worker->exit_status = status;
  worker->exited_after_disconnect = worker->exited_after_disconnect.value_or(false);
  lose(*worker);
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

void Primary::give(WorkerId worker, wire::Body body, FdToken descriptor, wire::HandleKind kind) {
  send(worker, std::move(body), descriptor, kind);
  std::get<SendToWorker>(effects_.back()).give = true;
}

void Primary::release_unused_ports() { close_ports(ports_.release_unused()); }

void Primary::adopt(Ports::Port port) {
  if (const auto closed = ports_.add(std::move(port))) effects_.push_back(ClosePort{*closed});
}

void Primary::stop_listening(CallbackId callback) {
  for (const ListenerId id : listeners_.ids()) {
    if (listeners_.find(id)->dealer()) effects_.push_back(AcceptLast{id});
  }
  close_ports(ports_.clear());
  stopping_ = callback;
}

void Primary::close_ports(const std::vector<FdToken>& sockets) {
  for (const FdToken socket : sockets) effects_.push_back(ClosePort{socket});
}

std::optional<FdToken> Primary::use_port(ListenerId id, const std::string& numeric) {
  const Listener* listener = listeners_.find(id);
  return listener ? ports_.use(listener->query, numeric, listener->user, id) : std::nullopt;
}

bool Primary::keeps_port(ListenerId id) {
  const Listener* listener = listeners_.find(id);
  return listener && ports_.keeps() && listener->query.fd.value_or(-1) < 0;
}

std::optional<PrimaryEffect> Primary::poll_effect() {
  if (effects_.empty() && stopping_ && listeners_.calm()) {
    effects_.push_back(ListeningStoppedEvent{*std::exchange(stopping_, std::nullopt)});
  }
  if (effects_.empty()) return std::nullopt;
  std::optional<PrimaryEffect> effect(std::move(effects_.front()));
  effects_.pop_front();
  return effect;
}

}  // namespace muster::core
