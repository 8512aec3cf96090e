// SPDX-License-Identifier: MIT
#include "sim/world.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fmt/core.h>

#include "core/effect_text.h"

namespace muster::sim {
namespace {

constexpr int busy_steps = 1000;
// A world that is left alone and still finds something to do after this many steps goes round in circles.
constexpr int settling_steps = 200000;
constexpr std::size_t max_workers = 5;
constexpr int addresses = 6;
constexpr std::size_t pipe_capacity = 700;
constexpr std::array<int, 3> well_known_ports{8000, 8001, 0};

// Each in its turn, and the one that most use twice.
SchedulingPolicy world_policy(std::uint64_t seed) {
  constexpr std::array policies{
      SchedulingPolicy::none,   SchedulingPolicy::round_robin, SchedulingPolicy::least_connections, SchedulingPolicy::ip_hash,
      SchedulingPolicy::custom, SchedulingPolicy::kernel,      SchedulingPolicy::round_robin};
  return policies[seed % policies.size()];
}

bool keeps_ports(std::uint64_t seed) { return seed / 7 % 2 == 1; }

std::string name_of(const WorkerProcess& worker) { return fmt::format("worker {}", static_cast<int>(worker.id)); }

Settings world_settings() {
  Settings settings;
  settings.exec = "worker";
  settings.exec_path = "node";
  return settings;
}

}  // namespace

FdToken Process::add(Description* description) {
  ++description->references;
  const FdToken token{next_token_++};
  table_.emplace(token, description);
  return token;
}

Description* Process::get(FdToken token) const {
  const auto found = table_.find(token);
  return found == table_.end() ? nullptr : found->second;
}

void Process::close(FdToken token) {
  const auto found = table_.find(token);
  if (found == table_.end()) {
    world_.oracle_.violated(world_.step_, "conservation", fmt::format("token {} closed twice", static_cast<int>(token)));
    return;
  }
  Description* description = found->second;
  table_.erase(found);
  world_.release(description);
}

std::size_t Process::connections() const {
  return static_cast<std::size_t>(
      std::count_if(table_.begin(), table_.end(), [](const auto& entry) { return entry.second->client != nullptr; }));
}

void Process::close_all() {
  for (const auto& [token, description] : std::exchange(table_, {})) world_.release(description);
}

World::World(std::uint64_t seed, Choices choices)
    : choices_(std::move(choices)), oracle_(seed), primary_(world_settings(), world_policy(seed)) {
  if (keeps_ports(seed)) primary_.keep_ports();
}

Description* World::describe() {
  descriptions_.push_back(std::make_unique<Description>());
  descriptions_.back()->number = static_cast<int>(descriptions_.size());
  return descriptions_.back().get();
}

void World::release(Description* description) {
  if (--description->references > 0) return;
  if (Client* client = description->client; client && client->state == Client::State::accepted) {
    client->state = Client::State::reset;
  }
  if (description->port == 0) return;
  const auto port = ports_.find(description->port);
  if (port != ports_.end() && port->second.members.contains(description)) return close_member(description);
  close_port(description->port);
}

// What waits there moves to another member; where there is none, nobody will ever serve it.
void World::close_member(Description* description) {
  const int number = description->port;
  Port& port = ports_.at(number);
  const auto queue = std::move(port.members.at(description));
  port.members.erase(description);
  for (Client* client : queue) {
    if (port.members.empty()) {
      client->state = Client::State::reset;
    } else {
      port.members.begin()->second.push_back(client);
    }
  }
  if (port.members.empty()) ports_.erase(number);
}

// --- running -------------------------------------------------------------------------------------

std::optional<Failure> World::run() {
  const int steps = choices_.replays() ? static_cast<int>(choices_.recorded_steps()) - 1 : busy_steps;
  for (step_ = 0; step_ < steps && !oracle_.failure(); ++step_) {
    choices_.begin_step();
    random_step();
  }

  choices_.begin_step();
  calm_ = true;
  trace("world", [] { return "nobody wants anything new"; });
  for (auto& [id, worker] : workers_) {
    if (worker->state == WorkerProcess::State::stopped) worker->state = WorkerProcess::State::running;
  }
  settle();
  if (!oracle_.failure()) check_fairness();
  if (oracle_.failure()) return oracle_.failure();

  // Who waits in the queue of a port is served before it is closed.
  const bool stops = primary_.ports().keeps();
  if (stops) {
    for (const auto& [listener, port] : listeners_) connect(port);
    primary_.stop_listening(core::CallbackId{2});
    perform_primary();
    settle();
    if (!primary_.ports().all().empty()) oracle_.violated(step_, "quiet", "a kept port is left");
  }
  primary_.disconnect_all(core::CallbackId{1});
  perform_primary();
  settle();
  // A worker that was asked to leave does, and then has nothing left to live for.
  for (auto& [id, worker] : workers_) {
    if (worker->open() > 0) {
      oracle_.violated(step_, "conservation",
                       fmt::format("{} descriptors are left in worker {}", worker->open(), static_cast<int>(id)));
    }
    if (worker->state != WorkerProcess::State::dead) die(*worker, ExitStatus::exited(0));
  }
  settle();

  // It may have waited for a worker that lost its channel with a connection, and lived until now.
  if (stop_callbacks_ != (stops ? 1 : 0)) {
    oracle_.violated(step_, "quiet", fmt::format("the callback of stop_listening() ran {} times", stop_callbacks_));
  }
  if (disconnect_callbacks_ != 1) {
    oracle_.violated(step_, "quiet", fmt::format("the callback of disconnect() ran {} times", disconnect_callbacks_));
  }
  if (!primary_.workers().empty()) oracle_.violated(step_, "quiet", "workers are left");
  if (!listeners_.empty()) oracle_.violated(step_, "quiet", "a listening socket is left");
  if (primary_process_.open() > 0) {
    oracle_.violated(step_, "conservation", fmt::format("{} descriptors are left in the primary", primary_process_.open()));
  }
  for (const auto& description : descriptions_) {
    if (description->references != 0) {
      oracle_.violated(step_, "conservation",
                       fmt::format("description {} has {} references", description->number, description->references));
    }
  }
  for (const auto& client : clients_) {
    const bool waits = client->state == Client::State::queued || client->state == Client::State::accepted;
    if (waits) oracle_.violated(step_, "limbo", "a client waits for ever");
    if (client->touches > 1) oracle_.violated(step_, "limbo", "a client was served twice");
  }
  return oracle_.failure();
}

void World::random_step() {
  const std::uint64_t choice = below(100);
  if (choice < 60) {
    channel_step();
  } else if (choice < 74) {
    if (ports_.empty()) return;
    auto port = ports_.begin();
    std::advance(port, static_cast<std::ptrdiff_t>(below(ports_.size())));
    connect(port->first);
  } else if (choice < 82) {
    for (const auto& [listener, port] : listeners_) {
      if (accept(listener, port)) break;
    }
  } else if (choice < 96) {
    if (workers_.empty()) return primary_step();
    auto worker = workers_.begin();
    std::advance(worker, static_cast<std::ptrdiff_t>(below(workers_.size())));
    worker_step(*worker->second);
  } else {
    primary_step();
  }
}

void World::primary_step() {
  const std::uint64_t choice = below(100);
  const std::size_t alive = static_cast<std::size_t>(std::count_if(
      workers_.begin(), workers_.end(), [](const auto& entry) { return entry.second->state != WorkerProcess::State::dead; }));
  if (choice < 35 || workers_.empty()) {
    if (alive < max_workers) {
      primary_.fork(primary_.take_id(), Env{});
      perform_primary();
    }
    return;
  }
  auto chosen = workers_.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(below(workers_.size())));
  WorkerProcess& worker = *chosen->second;
  if (choice < 42) {
    primary_.disconnect(worker.id);
    perform_primary();
  } else if (choice < 52) {
    if (worker.state != WorkerProcess::State::dead) die(worker, ExitStatus::killed(Signal::kill));
  } else if (choice < 60) {
    if (worker.state != WorkerProcess::State::running) return;
    worker.state = WorkerProcess::State::stopped;
    trace(name_of(worker), [] { return "is stopped"; });
  } else if (choice < 70) {
    if (worker.state != WorkerProcess::State::stopped) return;
    worker.state = WorkerProcess::State::running;
    trace(name_of(worker), [] { return "is continued"; });
  } else if (choice < 72) {
    primary_.disconnect_channel(worker.id);
    perform_primary();
  } else if (choice < 90) {
    send_user_message(*primary_ends_.at(worker.id).end);
  } else if (choice < 92 && primary_.ports().keeps()) {
    primary_.release_unused_ports();
    perform_primary();
  } else {
    now_ += std::chrono::milliseconds(5);
    trace("world", [] { return "5 ms pass"; });
    wake();
  }
}

bool World::wake() {
  bool woken = false;
  for (const auto& [listener, until] : std::map(rests_)) {
    if (until > now_) continue;
    rests_.erase(listener);
    primary_.handle_rested(listener);
    perform_primary();
    woken = true;
  }
  for (const auto& [listener, until] : std::map(watches_)) {
    if (until > now_) continue;
    watches_.erase(listener);
    primary_.handle_look(listener);
    perform_primary();
    woken = true;
  }
  return woken;
}

void World::worker_step(WorkerProcess& worker) {
  if (worker.state == WorkerProcess::State::dead) {
    report_exit(worker);
    return;
  }
  if (worker.state == WorkerProcess::State::stopped) return;
  worker.child.answer_offers();
  const std::uint64_t choice = below(1000);
  if (choice < 200) {
    listen(worker);
  } else if (choice < 600) {
    for (auto& [id, server] : worker.servers) {
      if (server.connections.empty() || chance(30)) continue;
      finish(worker, server, below(server.connections.size()), id);
      return;
    }
  } else if (choice < 700) {
    accept_shared(worker);
  } else if (choice < 780) {
    while (read_queue(worker) && chance(70)) {
    }
  } else if (choice < 800) {
    report_queue_news(worker);
  } else if (choice < 820) {
    if (!worker.servers.empty()) close_server(worker, worker.servers.begin()->first);
  } else if (choice < 825) {
    worker.child.disconnect();
  } else if (choice < 830) {
    worker.child.kill();
  } else if (choice < 840) {
    die(worker, ExitStatus::exited(1));
    return;
  } else if (choice < 940) {
    send_user_message(worker.end);
  } else if (choice < 943) {
    worker.child.answer_offers();
    perform_child(worker);
    if (worker.end.channel.disconnect()) pump(worker.end, &worker, worker.id);
  } else if (!worker.servers.empty()) {
    const std::size_t limit = below(4);
    worker.child.set_limit(worker.servers.begin()->first, limit == 3 ? std::nullopt : std::optional(limit), chance(30));
  }
  perform_child(worker);
}

// One end of one channel, among those that can, reads or writes something.
void World::channel_step() {
  struct Choice {
    End* end;
    WorkerProcess* worker;  // null for the primary's end
    WorkerId id;
  };
  std::vector<Choice> choices;
  const auto add = [&choices](End& end, WorkerProcess* worker, WorkerId id) {
    const bool readable = !end.in->segments.empty() || end.in->writer_gone;
    if (end.open && (readable || end.channel.has_output())) choices.push_back({&end, worker, id});
  };
  for (auto& [id, worker] : workers_) {
    add(*primary_ends_.at(id).end, nullptr, id);
    if (worker->state == WorkerProcess::State::running) add(worker->end, worker.get(), id);
  }
  if (choices.empty()) return;
  const Choice choice = choices[below(choices.size())];
  if (choice.end->channel.has_output() && chance(50)) {
    write(*choice.end);
  } else {
    read(*choice.end, 1 + below(chance(20) ? 20 : 2000));
  }
  pump(*choice.end, choice.worker, choice.id);
}

bool World::settle_once() {
  bool active = false;
  for (auto& [id, worker] : workers_) {
    End& primary_end = *primary_ends_.at(id).end;
    for (End* end : {&primary_end, &worker->end}) {
      WorkerProcess* owner = end == &worker->end ? worker.get() : nullptr;
      if (owner && owner->state != WorkerProcess::State::running) continue;
      if (!end->open) continue;
      if (end->channel.has_output() && !end->out->reader_gone && end->out->size < pipe_capacity) {
        write(*end);
        active = true;
      }
      pump(*end, owner, id);
      if (end->open && read(*end, 1 + below(2000))) active = true;
      pump(*end, owner, id);
    }
    if (worker->state == WorkerProcess::State::dead) {
      active |= report_exit(*worker);
    } else {
      for (auto& [server_id, server] : worker->servers) {
        if (server.connections.empty() || keeps_connections_) continue;
        finish(*worker, server, 0, server_id);
        active = true;
        break;
      }
      active |= accept_shared(*worker);
      active |= read_queue(*worker);
      if (worker->state == WorkerProcess::State::running) worker->child.answer_offers();
      perform_child(*worker);
    }
  }
  for (const auto& [id, worker] : workers_) active |= report_queue_news(*worker);
  for (const auto& [listener, port] : std::map(listeners_)) active |= accept(listener, port);
  if (!active && !(rests_.empty() && watches_.empty())) {
    now_ = std::chrono::milliseconds::max();
    for (const auto* timers : {&rests_, &watches_}) {
      for (const auto& [listener, until] : *timers) now_ = std::min(now_, until);
    }
  }
  return wake() || active;
}

void World::settle() {
  for (auto& [id, worker] : workers_) {
    for (auto& [server_id, server] : worker->servers) worker->child.set_limit(server_id, std::nullopt, false);
  }
  for (int i = 0; i < settling_steps && !oracle_.failure(); ++i, ++step_) {
    if (!settle_once()) return;
  }
  if (!oracle_.failure()) oracle_.violated(step_, "quiet", "the world does not come to rest");
}

void World::check_fairness() {
  if (primary_.scheduling_policy() == SchedulingPolicy::ip_hash) return check_stickiness();
  if (primary_.scheduling_policy() != SchedulingPolicy::round_robin &&
      primary_.scheduling_policy() != SchedulingPolicy::least_connections) {
    return;
  }
  for (const auto& [listener, port] : std::map(listeners_)) {
    std::vector<WorkerId> idle;
    for (const auto& [id, worker] : workers_) {
      if (worker->state != WorkerProcess::State::running) continue;
      for (const auto& [server_id, server] : worker->servers) {
        if (server.phase == WorkerProcess::ServerPhase::listening && !server.shared) {
          idle.push_back(id);
          break;
        }
      }
    }
    // Only where every one of them listens here is it known how many should get one.
    if (listeners_.size() != 1 || idle.empty()) return;
    served_.clear();
    for (std::size_t i = 0; i < idle.size(); ++i) connect(port);
    // One that has finished has as few as one that got none.
    keeps_connections_ = true;
    settle();
    keeps_connections_ = false;
    for (const WorkerId id : idle) {
      if (served_[id] != 1) {
        oracle_.violated(step_, "fairness",
                         fmt::format("worker {} got {} of {} connections for {} workers", static_cast<int>(id), served_[id],
                                     idle.size(), idle.size()));
      }
    }
  }
}

void World::check_stickiness() {
  for (const auto& [listener, port] : std::map(listeners_)) {
    for (int address = 0; address < addresses; ++address) {
      std::optional<WorkerId> first;
      for (int i = 0; i < 2; ++i) {
        connect(port);
        Client& client = *clients_.back();
        client.address = address;
        settle();
        if (i > 0 && client.server != first) {
          oracle_.violated(step_, "fairness", fmt::format("address {} was served by two workers", address));
        }
        first = client.server;
      }
    }
  }
}

// --- the primary's driver ------------------------------------------------------------------------

void World::perform_primary() {
  while (auto effect = primary_.poll_effect()) {
    trace("primary", [&] { return core::to_string(*effect); });
    std::visit([this](auto& e) { perform(e); }, *effect);
  }
}

void World::perform(core::Spawn& spawn) {
  if (!calm_ && chance(5)) {
    primary_.handle_spawn_failed(spawn.worker, system_error(EAGAIN, "spawn"));
    return;
  }
  PrimaryEnd& end = primary_ends_[spawn.worker];
  end.to_worker = std::make_unique<Pipe>();
  end.to_primary = std::make_unique<Pipe>();
  end.end = std::make_unique<End>(primary_process_, *end.to_primary, *end.to_worker);
  auto worker = std::make_unique<WorkerProcess>(*this, spawn.worker, *end.to_worker, *end.to_primary);
  perform_child(*worker);
  // What is preloaded into a Node worker says that it reads a queue.
  if (chance(40)) {
    worker->end.channel.send(
        {core::wire::encode(Serialization::json, core::wire::ClusterMessage{core::wire::Queue{core::wire::newest_extension}})});
  }
  workers_.emplace(spawn.worker, std::move(worker));
  if (!spawn.request.queue_descriptor || (!calm_ && chance(10))) primary_.handle_no_queue(spawn.worker);
  primary_.handle_spawned(spawn.worker, 1000 + static_cast<int>(spawn.worker));
}

void World::perform(core::SendToWorker& send) {
  End& end = *primary_ends_.at(send.worker).end;
  core::Channel::Outgoing outgoing{core::wire::encode(Serialization::json, send.message, send.handle), send.descriptor};
  if (send.give) outgoing.ownership = core::Channel::Descriptor::give;
  if (!core::Channel::queued(end.channel.send(std::move(outgoing))) && send.give) primary_process_.close(*send.descriptor);
}

void World::perform(core::Offer& offer) {
  for (std::size_t i = 0; i < offer.connections.size(); ++i) {
    workers_.at(offer.worker)->board[offer.first + i] = WorkerProcess::Claim::offered;
  }
  primary_ends_.at(offer.worker).end->channel.offer(offer.first, std::move(offer.connections), offer.key);
}

void World::perform(core::RevokeOffer& revoke) {
  WorkerProcess::Claim& claim = workers_.at(revoke.worker)->board.at(revoke.number);
  const bool taken_back = claim == WorkerProcess::Claim::offered;
  if (taken_back) claim = WorkerProcess::Claim::revoked;
  primary_.handle_revoked(revoke.worker, revoke.listener, revoke.connection, revoke.number,
                          taken_back ? core::Dealer::Revoked::taken_back : core::Dealer::Revoked::claimed);
}

void World::perform(core::Enqueue& enqueue) {
  WorkerProcess& worker = *workers_.at(enqueue.worker);
  std::size_t sent = enqueue.connections.size();
  // Now and then the system has no room for all, or the worker has shut its end.
  const bool fails = !calm_ && chance(5);
  if (fails) sent = below(sent);
  for (std::size_t i = 0; i < sent; ++i) {
    Description* const description = primary_process_.get(enqueue.connections[i]);
    ++description->references;
    primary_process_.close(enqueue.connections[i]);
    worker.queue.push_back({enqueue.listener, description});
    ++worker.queued;
  }
  if (!fails) return;
  primary_.handle_not_queued(enqueue.worker, std::span(enqueue.connections).subspan(sent));
  if (chance(30)) primary_.handle_no_queue(enqueue.worker);
}

void World::perform(core::CountUnread& count) {
  const WorkerProcess& worker = *workers_.at(count.worker);
  primary_.handle_read(count.worker, worker.queued - worker.queue.size());
}

void World::perform(core::AwaitRoom& await) { workers_.at(await.worker)->queue_awaits_room = true; }

void World::perform(core::DrainQueue& drain) {
  WorkerProcess& worker = *workers_.at(drain.worker);
  std::vector<std::optional<FdToken>> unread;
  for (const auto& [listener, connection] : std::exchange(worker.queue, {})) {
    unread.push_back(connection ? std::optional(primary_process_.add(connection)) : std::nullopt);
    if (connection) release(connection);
    --worker.queued;
  }
  primary_.handle_drained(drain.worker, worker.queued, unread);
}

void World::perform(core::PingQueue& ask) {
  WorkerProcess& worker = *workers_.at(ask.worker);
  worker.queue.push_back({});
  ++worker.queued;
  worker.queue_pinged = true;
}

bool World::read_queue(WorkerProcess& worker) {
  if (worker.state != WorkerProcess::State::running || !worker.reads_queue || worker.queue.empty() || worker.held) return false;
  const core::QueueNumber listener = worker.queue.front().listener;
  Description* const connection = worker.queue.front().connection;
  worker.queue.pop_front();
  trace(name_of(worker), [&] { return connection ? "reads its queue" : "answers the question in its queue"; });
  constexpr std::size_t room = 8;
  if (worker.queue_awaits_room && worker.queue.size() <= room) {
    worker.queue_awaits_room = false;
    worker.queue_news = true;
  }
  if (!connection) {
    if (std::exchange(worker.queue_pinged, false)) worker.queue_news = true;
    return true;
  }
  const FdToken token = worker.add(connection);
  release(connection);
  receive_queued(worker, listener, token);
  return true;
}

void World::receive_queued(WorkerProcess& worker, core::QueueNumber listener, FdToken connection) {
  const auto key = worker.queue_keys.find(listener);
  if (key == worker.queue_keys.end()) {
    worker.held = std::pair(listener, connection);
    return;
  }
  // A copy, to be given back where the child does not keep it.
  const FdToken copy = worker.add(worker.get(connection));
  worker.took = false;
  worker.child.handle_message({core::wire::NewConnection{key->second}, core::Seq{}}, connection);
  perform_child(worker);
  if (worker.state == WorkerProcess::State::dead) return;
  if (worker.took) return worker.close(copy);
  core::Channel::Outgoing outgoing{core::wire::encode(
      Serialization::json, core::wire::ClusterMessage{core::wire::GiveBack{listener}}, core::wire::HandleInfo{})};
  outgoing.descriptor = copy;
  outgoing.ownership = core::Channel::Descriptor::give;
  if (!core::Channel::queued(worker.end.channel.send(std::move(outgoing)))) worker.close(copy);
}

bool World::report_queue_news(WorkerProcess& worker) {
  if (!std::exchange(worker.queue_news, false)) return false;
  primary_.handle_read(worker.id, worker.queued - worker.queue.size());
  perform_primary();
  return true;
}

void World::perform(core::ShareBoard& share) {
  End& end = *primary_ends_.at(share.worker).end;
  // Now and then there is no memory for one.
  if (!calm_ && chance(20)) {
    end.channel.send({core::wire::encode(Serialization::json, share.message)});
    return;
  }
  core::wire::HandleInfo handle;
  handle.kind = core::wire::HandleKind::descriptor;
  core::Channel::Outgoing outgoing{core::wire::encode(Serialization::json, share.message, handle)};
  outgoing.descriptor = primary_process_.add(describe());
  outgoing.ownership = core::Channel::Descriptor::give;
  const FdToken board = *outgoing.descriptor;
  if (!core::Channel::queued(end.channel.send(std::move(outgoing)))) primary_process_.close(board);
}

void World::perform(core::DisconnectWorker& disconnect) {
  End& end = *primary_ends_.at(disconnect.worker).end;
  end.channel.disconnect();
  pump(end, nullptr, disconnect.worker);
}

void World::perform(core::Listen& listen) {
  if (!calm_ && chance(8)) {
    if (listen.mode == core::ListenMode::kernel) {
      primary_.handle_no_kernel(listen.listener);
    } else {
      primary_.handle_listening(listen.listener, {EADDRINUSE});
    }
    return;
  }
  if (listen.mode == core::ListenMode::kernel) {
    groups_[listen.listener] = 0;
    primary_.handle_listening(listen.listener, {});
    return;
  }
  core::Primary::ListenResult result;
  int port = 0;
  if (const auto kept = primary_.use_port(listen.listener, "")) {
    port = primary_process_.get(*kept)->port;
  } else {
    port = bind(listen.query);
    if (primary_.keeps_port(listen.listener)) {
      const FdToken copy = primary_process_.add(ports_[port].listening);
      result.keep = core::BoundSocket{copy, false, {}, core::wire::SocketName{"::", true, port}};
    }
  }
  Description* socket = ports_[port].listening;
  if (listen.mode == core::ListenMode::share) {
    result.descriptor = primary_process_.add(socket);
  } else {
    ++socket->references;
    listeners_[listen.listener] = port;
    result.socket_name = core::wire::SocketName{"::", true, port};
  }
  primary_.handle_listening(listen.listener, std::move(result));
}

int World::bind(const core::wire::ListenQuery& query) {
  int port = query.port.value_or(0);
  if (port == 0 || ports_.contains(port)) port = next_free_port_++;
  Port& entry = ports_[port];
  entry.listening = describe();
  entry.listening->port = port;
  return port;
}

void World::perform(core::Join& join) {
  if (!calm_ && chance(8)) {
    primary_.handle_joined(join.listener, join.worker, {EADDRINUSE});
    return;
  }
  int& number = groups_.at(join.listener);
  if (number == 0) number = join.query.port.value_or(0);
  Port* port = number == 0 || (ports_.contains(number) && ports_.at(number).listening) ? nullptr : &ports_[number];
  if (!port) port = &ports_[number = next_free_port_++];
  Description* socket = describe();
  socket->port = number;
  port->members[socket];
  Description* counters = describe();
  primary_.handle_joined(join.listener, join.worker, {0, {}, primary_process_.add(socket), primary_process_.add(counters)});
}

void World::perform(core::Part&) {}

void World::perform(core::StopListening& stop) {
  groups_.erase(stop.listener);
  rests_.erase(stop.listener);
  watches_.erase(stop.listener);
  const auto found = listeners_.find(stop.listener);
  if (found == listeners_.end()) return;
  Description* socket = ports_.at(found->second).listening;
  listeners_.erase(found);
  release(socket);
}

void World::perform(core::AcceptLast& accept) {
  const auto found = listeners_.find(accept.listener);
  if (found == listeners_.end()) return;
  const int port = found->second;
  while (this->accept(accept.listener, port)) {
  }
  listeners_.erase(accept.listener);
  release(ports_.at(port).listening);
}

void World::perform(core::ClosePort& close) { primary_process_.close(close.socket); }

void World::perform(core::CloseDescriptor& close) { primary_process_.close(close.descriptor); }

void World::perform(core::ProbeConnection& probe) {
  const Description* description = primary_process_.get(probe.connection);
  if (!description) {
    oracle_.violated(step_, "conservation", "a closed connection is looked at");
    return;
  }
  primary_.handle_probed(probe.listener, probe.connection,
                         description->client->touched ? core::Dealer::Probed::touched : core::Dealer::Probed::untouched);
}

void World::perform(core::Rest& rest) { rests_[rest.listener] = now_ + std::chrono::milliseconds(rest.milliseconds); }

void World::perform(core::Watch& watch) { watches_[watch.listener] = now_ + std::chrono::milliseconds(watch.milliseconds); }

void World::perform(core::Choose& choose) {
  // Programs choose well, badly, and not at all.
  std::optional<WorkerId> chosen;
  if (chance(50)) {
    chosen = choose.workers.empty() ? WorkerId{99} : choose.workers[below(choose.workers.size())];
  } else if (chance(50)) {
    chosen = WorkerId{static_cast<std::uint32_t>(below(9))};
  }
  primary_.handle_chosen(choose.listener, choose.connection, chosen);
}

void World::perform(core::PrimaryEvent& event) {
  oracle_.see(step_, event);
  if (std::holds_alternative<core::AllDisconnectedEvent>(event)) ++disconnect_callbacks_;
  if (!std::holds_alternative<core::ListeningStoppedEvent>(event)) return;
  ++stop_callbacks_;
  if (primary_process_.connections() > 0) oracle_.violated(step_, "limbo", "a connection is left in a primary that stopped");
}

bool World::accept(ListenerId listener, int port) {
  const auto found = ports_.find(port);
  if (found == ports_.end() || found->second.queue.empty()) return false;
  Client* client = found->second.queue.front();
  found->second.queue.pop_front();
  client->state = Client::State::accepted;
  Description* connection = describe();
  connection->client = client;
  for (const auto& [id, worker] : workers_) {
    std::size_t open = 0;
    for (const auto& [server_id, server] : worker->servers) open += server.connections.size();
    primary_.handle_load(listener, id, open);
  }
  const std::array accepted{core::Connection{primary_process_.add(connection), static_cast<std::uint64_t>(client->address)}};
  primary_.handle_connections(listener, accepted);
  perform_primary();
  return true;
}

// --- a worker's driver and program ---------------------------------------------------------------

void World::perform_child(WorkerProcess& worker) {
  while (auto effect = worker.child.poll_effect()) {
    if (worker.state == WorkerProcess::State::dead) return;
    trace(name_of(worker), [&] { return core::to_string(*effect); });
    std::visit([this, &worker](auto& e) { perform(worker, e); }, *effect);
  }
}

void World::perform(WorkerProcess& worker, core::SendToPrimary& send) {
  worker.end.channel.send({core::wire::encode(Serialization::json, send.message)});
}

void World::perform(WorkerProcess& worker, core::AnswerOffers& answer) {
  worker.end.channel.send({core::wire::encode(Serialization::json, answer.reply)});
}

void World::perform(WorkerProcess& worker, core::MapBoard& map) {
  worker.close(map.descriptor);
  if (calm_ || chance(90)) worker.child.handle_board();
}

void World::perform(WorkerProcess& worker, core::DisconnectPrimary&) {
  worker.child.answer_offers();
  perform_child(worker);
  worker.end.channel.disconnect();
  pump(worker.end, &worker, worker.id);
}

void World::perform(WorkerProcess& worker, core::CloseDescriptor& close) { worker.close(close.descriptor); }

void World::perform(WorkerProcess& worker, core::Exit& exit) { die(worker, ExitStatus::exited(exit.code)); }

void World::perform(WorkerProcess& worker, core::ChildEvent& event) {
  if (auto* listening = std::get_if<core::ServerListeningEvent>(&event)) {
    const auto found = worker.servers.find(listening->server);
    if (found == worker.servers.end() || found->second.phase != WorkerProcess::ServerPhase::asking) return;
    found->second.phase = WorkerProcess::ServerPhase::listening;
    worker.child.announce(listening->server, listening->socket_name->port);
  } else if (auto* shared = std::get_if<core::ServerSharedEvent>(&event)) {
    const auto found = worker.servers.find(shared->server);
    if (shared->counters) worker.close(*shared->counters);
    if (found == worker.servers.end() || found->second.phase != WorkerProcess::ServerPhase::asking) {
      worker.close(shared->descriptor);
      return;
    }
    found->second.phase = WorkerProcess::ServerPhase::listening;
    found->second.shared = shared->descriptor;
    worker.child.announce(shared->server, worker.get(shared->descriptor)->port);
  } else if (auto* error = std::get_if<core::ServerErrorEvent>(&event)) {
    worker.servers.erase(error->server);
    worker.child.handle_server_closed(error->server);
  } else if (auto* connection = std::get_if<core::ConnectionEvent>(&event)) {
    serve(worker, connection->server, connection->connection);
  } else if (auto* drop = std::get_if<core::DropEvent>(&event)) {
    worker.took = true;
    worker.close(drop->connection);
  } else if (auto* close = std::get_if<core::CloseServerEvent>(&event)) {
    if (worker.servers.contains(close->server)) close_server(worker, close->server);
  }
}

void World::serve(WorkerProcess& worker, ServerId id, FdToken connection) {
  worker.took = true;
  Client& client = *worker.get(connection)->client;
  // A program reads at once, or later.
  if (calm_ || chance(50)) touch(client, worker.id);
  client.server = worker.id;
  // Of two that have it one must be dead, and not have touched it.
  if (client.holder && workers_.at(*client.holder)->state != WorkerProcess::State::dead) {
    oracle_.violated(step_, "limbo", "a connection reached two workers");
  }
  client.holder = worker.id;
  ++client.serves;
  ++served_[worker.id];
  worker.servers.at(id).connections.push_back(connection);
}

void World::touch(Client& client, WorkerId worker) {
  client.touched = true;
  if (client.toucher != worker) ++client.touches;
  client.toucher = worker;
}

void World::listen(WorkerProcess& worker) {
  if (worker.servers.size() >= 3) return;
  core::wire::ListenQuery query;
  query.port = well_known_ports[below(well_known_ports.size())];
  query.address_type = AddressType::tcp4;
  worker.servers.emplace(worker.child.listen(query), WorkerProcess::Server{});
}

void World::close_server(WorkerProcess& worker, ServerId id) {
  WorkerProcess::Server& server = worker.servers.at(id);
  if (server.phase == WorkerProcess::ServerPhase::closing) return;
  server.phase = WorkerProcess::ServerPhase::closing;
  if (server.shared) worker.close(*std::exchange(server.shared, std::nullopt));
  worker.child.close(id);
  if (server.connections.empty()) {
    worker.servers.erase(id);
    worker.child.handle_server_closed(id);
  }
}

void World::finish(WorkerProcess& worker, WorkerProcess::Server& server, std::size_t connection, ServerId id) {
  const FdToken token = server.connections[connection];
  server.connections.erase(server.connections.begin() + static_cast<std::ptrdiff_t>(connection));
  Client& client = *worker.get(token)->client;
  touch(client, worker.id);
  client.state = Client::State::served;
  worker.close(token);
  worker.child.handle_connection_closed(id);
  if (server.phase == WorkerProcess::ServerPhase::closing && server.connections.empty()) {
    worker.servers.erase(id);
    worker.child.handle_server_closed(id);
  }
  perform_child(worker);
}

bool World::accept_shared(WorkerProcess& worker) {
  if (worker.state != WorkerProcess::State::running) return false;
  for (auto& [id, server] : worker.servers) {
    if (!server.shared) continue;
    Description* socket = worker.get(*server.shared);
    Port& port = ports_.at(socket->port);
    auto& queue = port.members.contains(socket) ? port.members.at(socket) : port.queue;
    if (queue.empty()) continue;
    Client* client = queue.front();
    queue.pop_front();
    client->state = Client::State::served;
    return true;
  }
  return false;
}

void World::die(WorkerProcess& worker, ExitStatus status) {
  trace(name_of(worker), [&] { return "dies, " + status.to_string(); });
  worker.state = WorkerProcess::State::dead;
  worker.exit_status = status;
  worker.close_all();
  worker.servers.clear();
  close_end(worker.end);
}

bool World::report_exit(WorkerProcess& worker) {
  if (worker.exit_reported) return false;
  worker.exit_reported = true;
  trace("primary", [&] { return fmt::format("reaps worker {}", static_cast<int>(worker.id)); });
  // The driver reads what is left first; a grandchild that holds the channel open would keep the end from it.
  End& end = *primary_ends_.at(worker.id).end;
  if (chance(90)) {
    while (end.open && read(end, 1 << 20)) pump(end, nullptr, worker.id);
  }
  primary_.handle_exit(worker.id, worker.exit_status);
  perform_primary();
  return true;
}

// --- the kernel ----------------------------------------------------------------------------------

void World::write(End& end) {
  while (end.open && end.channel.has_output() && !end.out->reader_gone && end.out->size < pipe_capacity) {
    std::array<std::string_view, 8> pieces;
    const core::Channel::Output output = end.channel.output(pieces);
    std::vector<Description*> descriptors;
    std::optional<FdToken> gone;
    for (const FdToken token : output.descriptors) {
      descriptors.push_back(end.process->get(token));
      if (!descriptors.back() && !gone) gone = token;
    }
    if (gone) {
      end.channel.handle_descriptor_gone(*gone);
      continue;
    }
    for (Description* descriptor : descriptors) ++descriptor->references;
    std::string bytes;
    for (std::size_t i = 0; i < output.pieces; ++i) bytes += pieces[i];
    const std::size_t room = pipe_capacity - end.out->size;
    bytes.resize(1 + below(std::min(bytes.size(), room)));
    end.out->size += bytes.size();
    const std::size_t written = bytes.size();
    end.out->segments.push_back({std::move(bytes), std::move(descriptors)});
    end.channel.handle_written(written);
    if (!calm_ && chance(30)) return;
  }
}

bool World::read(End& end, std::size_t most) {
  Pipe& pipe = *end.in;
  if (pipe.segments.empty()) {
    if (!pipe.writer_gone) return false;
    end.channel.handle_end();
    return true;
  }
  std::string bytes;
  std::vector<FdToken> descriptors;
  while (!pipe.segments.empty() && bytes.size() < most) {
    Pipe::Segment& segment = pipe.segments.front();
    const bool carries = !segment.descriptors.empty();
    // Now and then a worker has no room for one: the system drops it and those behind it, and delivers the bytes. The fourth
    // time in a row a channel gives one up.
    bool dropped = false;
    for (Description* descriptor : std::exchange(segment.descriptors, {})) {
      dropped = dropped || (!calm_ && end.process != &primary_process_ && chance(3) && pipe.dropped < 3);
      pipe.dropped = dropped ? pipe.dropped + 1 : 0;
      if (!dropped) descriptors.push_back(end.process->add(descriptor));
      release(descriptor);
    }
    const std::size_t n = std::min(most - bytes.size(), segment.bytes.size());
    bytes += segment.bytes.substr(0, n);
    segment.bytes.erase(0, n);
    pipe.size -= n;
    if (segment.bytes.empty()) pipe.segments.pop_front();
    if (carries) break;  // what follows a descriptor is another read's
  }
  end.channel.handle_bytes(bytes, descriptors);
  return true;
}

void World::pump(End& end, WorkerProcess* worker, WorkerId id) {
  while (auto event = end.channel.poll_event()) {
    if (auto* received = std::get_if<core::Channel::Received>(&*event)) {
      if (auto* message = std::get_if<core::wire::ClusterMessage>(&received->packet.payload)) {
        if (worker) {
          const auto* reply = std::get_if<core::wire::Reply>(&message->body);
          if (reply && reply->server && reply->server->queue) worker->queue_keys[*reply->server->queue] = reply->server->key;
          worker->reads_queue |= std::holds_alternative<core::wire::Queue>(message->body);
          worker->child.handle_message(std::move(*message), received->descriptor);
          perform_child(*worker);
          if (worker->state == WorkerProcess::State::dead) return;
          if (worker->held && worker->queue_keys.contains(worker->held->first)) {
            const auto [listener, connection] = *std::exchange(worker->held, std::nullopt);
            receive_queued(*worker, listener, connection);
            if (worker->state == WorkerProcess::State::dead) return;
          }
        } else if (const auto* back = std::get_if<core::wire::GiveBack>(&message->body); back && received->descriptor) {
          const auto client = static_cast<std::uint64_t>(primary_process_.get(*received->descriptor)->client->address);
          primary_.handle_read(id, workers_.at(id)->queued - workers_.at(id)->queue.size());
          primary_.handle_given_back(id, back->listener, {*received->descriptor, client});
          perform_primary();
        } else {
          primary_.handle_message(id, std::move(*message));
          perform_primary();
        }
      } else if (const auto* reply = std::get_if<core::wire::OfferReply>(&received->packet.payload)) {
        primary_.handle_message(id, *reply);
        perform_primary();
      } else if (const auto* value = std::get_if<Value>(&received->packet.payload)) {
        receive_user_message(end, *value, received->descriptor);
      }
    } else if (const auto* offered = std::get_if<core::Channel::Offered>(&*event)) {
      receive_offer(*worker, *offered);
      if (worker->state == WorkerProcess::State::dead) return;
    } else if (const auto* released = std::get_if<core::Channel::Released>(&*event)) {
      end.process->close(released->descriptor);
    } else if (const auto* lost = std::get_if<core::Channel::NotReceived>(&*event)) {
      primary_.handle_not_received(id, lost->descriptor);
      perform_primary();
    } else if (const auto* failed = std::get_if<core::Channel::Failed>(&*event)) {
      // The peers here are correct: only a death in the middle of a message is their fault.
      if (failed->code != Errc::ipc_message_truncated) {
        oracle_.violated(step_, "order", "a correct peer's bytes were refused: " + std::error_code(failed->code).message());
      }
      if (!worker) primary_.handle_error(id, Error{failed->code, ""});
      perform_primary();
    } else if (std::holds_alternative<core::Channel::Closed>(*event)) {
      close_end(end);
      if (worker) {
        worker->child.handle_channel_closed();
        perform_child(*worker);
        if (worker->state == WorkerProcess::State::dead) return;
      } else {
        primary_.handle_channel_closed(id);
        perform_primary();
      }
    }
  }
}

void World::close_end(End& end) {
  if (!std::exchange(end.open, false)) return;
  end.in->reader_gone = true;
  end.out->writer_gone = true;
  for (Pipe::Segment& segment : end.in->segments) {
    for (Description* descriptor : segment.descriptors) release(descriptor);
  }
  end.in->segments.clear();
  end.in->size = 0;
}

void World::send_user_message(End& end) {
  if (!end.channel.connected()) return;
  Value message{{"number", end.sent++}, {"padding", std::string(below(400), 'x')}, {"handle", 0}};
  core::Channel::Outgoing outgoing;
  std::optional<core::wire::HandleInfo> info;
  if (chance(40)) {
    Description* description = describe();
    message.set("handle", description->number);
    outgoing.descriptor = end.process->add(description);
    outgoing.ownership = core::Channel::Descriptor::give;
    info.emplace();
    info->kind = core::wire::HandleKind::net_socket;
  }
  outgoing.frame = core::wire::encode(Serialization::json, message, info);
  end.channel.send(std::move(outgoing));
}

void World::receive_offer(WorkerProcess& worker, const core::Channel::Offered& offered) {
  std::size_t arrived = 0;
  std::uint64_t number = offered.offer.first;
  for (const bool with_descriptor : offered.offer.with_descriptor) {
    if (!with_descriptor) {
      worker.child.handle_withdrawn(number);
    } else if (arrived == offered.descriptors.size()) {
      worker.child.handle_offered(offered.offer.key, number, {}, false);
    } else {
      // The primary does not wait while a worker is at it, and a worker may die of any of them.
      if (!calm_ && chance(10)) {
        now_ += std::chrono::milliseconds(10);
        wake();
      }
      if (!calm_ && chance(3)) return die(worker, ExitStatus::killed(Signal::kill));
      WorkerProcess::Claim& claim = worker.board.at(number);
      const bool claimed = claim == WorkerProcess::Claim::offered;
      if (claimed) claim = WorkerProcess::Claim::claimed;
      worker.child.handle_offered(offered.offer.key, number, offered.descriptors[arrived++], claimed);
      perform_child(worker);
      if (worker.state == WorkerProcess::State::dead) return;
    }
    ++number;
  }
  // Before its loop waits again, as a rule after it has read.
  if (calm_ || chance(50)) worker.child.answer_offers();
  perform_child(worker);
}

void World::receive_user_message(End& end, const Value& message, std::optional<FdToken> descriptor) {
  if (message["number"] != Value(end.received++)) oracle_.violated(step_, "order", "a message out of order");
  const int expected = static_cast<int>(message["handle"].number_or(-1));
  const int got = descriptor ? end.process->get(*descriptor)->number : 0;
  if (got != expected)
    oracle_.violated(step_, "order", fmt::format("handle {} came with the message of handle {}", got, expected));
  if (descriptor) end.process->close(*descriptor);
}

void World::connect(int port) {
  clients_.push_back(std::make_unique<Client>());
  Client* client = clients_.back().get();
  client->port = port;
  client->address = static_cast<int>(below(addresses));
  trace("client", [&] { return fmt::format("{} connects to {}", clients_.size(), port); });
  const auto found = ports_.find(port);
  if (found == ports_.end()) {
    client->state = Client::State::refused;
    for (const core::Ports::Port& kept : primary_.ports().all()) {
      if (kept.bound.name->port == port) oracle_.violated(step_, "limbo", "a client was refused at a port that is kept");
    }
    return;
  }
  auto& members = found->second.members;
  if (members.empty()) {
    found->second.queue.push_back(client);
  } else {
    auto member = members.begin();
    std::advance(member, static_cast<std::ptrdiff_t>(below(members.size())));
    member->second.push_back(client);
  }
}

void World::drop_queue(Port& port) {
  for (Client* client : port.queue) client->state = Client::State::reset;
  port.queue.clear();
}

void World::close_port(int port) {
  const auto found = ports_.find(port);
  if (found == ports_.end()) return;
  drop_queue(found->second);
  ports_.erase(found);
}

}  // namespace muster::sim
