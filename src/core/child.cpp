// SPDX-License-Identifier: MIT
#include "core/child.h"

#include <cerrno>
#include <climits>
#include <cstdint>
#include <utility>

#include "core/assert.h"
#include "core/listeners.h"

namespace muster::core {

Child::Child(WorkerId id) : id_(id) { send(wire::Online{wire::newest_extension}); }

ServerId Child::listen(wire::ListenQuery query) {
  // A worker that is leaving listens no more: waiting for such a server it would never leave.
  if (leaving_ != Leaving::no) return listen_alone();
  const ServerId id{next_server_++};
  Server server{std::move(query), {}};
  server.query.index = 0;
  // Port 0 must not bring the index into the name of its own counter.
  wire::ListenQuery counted = server.query;
  if (counted.port == 0) counted.port = -2;
  server.index_name = Listeners::key_of(counted);
  Index& index = indexes_[server.index_name];
  server.query.index = index.next++;
  ++index.open;
  queries_[Seq{next_seq_}] = id;
  send(wire::QueryServer{server.query});
  servers_.emplace(id, std::move(server));
  return id;
}

ServerId Child::listen_alone() {
  const ServerId id{next_server_++};
  Server server;
  server.standing = Standing::alone;
  servers_.emplace(id, std::move(server));
  if (leaving_ != Leaving::no) effects_.push_back(CloseServerEvent{id});
  return id;
}

void Child::announce(ServerId id, std::optional<int> port) {
  const auto found = servers_.find(id);
  // Of a server that listens by itself the primary knows nothing.
  if (found == servers_.end() || found->second.standing != Standing::listening) return;
  wire::ListenQuery query = found->second.query;
  if (port) query.port = port;
  send(wire::Listening{std::move(query)});
}

void Child::close(ServerId id) {
  const auto found = servers_.find(id);
  if (found == servers_.end()) return;
  Server& server = found->second;
  switch (server.standing) {
    case Standing::asking: abandoned_.insert(id); break;
    case Standing::listening:
      send(wire::Close{server.key});
      by_key_.erase(server.key);
      break;
    case Standing::refused:
    case Standing::closing:
    case Standing::alone: break;
  }
  server.standing = Standing::closing;
}

void Child::set_limit(ServerId id, std::optional<std::size_t> max_connections, bool drop) {
  const auto found = servers_.find(id);
  if (found == servers_.end()) return;
  found->second.max_connections = max_connections;
  found->second.drop = drop;
}

void Child::disconnect() { leave(Reason::disconnect); }

void Child::kill() {
  if (!connected_) {
    effects_.push_back(Exit{0});
    return;
  }
  if (leaving_ == Leaving::awaiting_ack || leaving_ == Leaving::gone) {
    reason_ = Reason::kill;
    return;
  }
  reason_ = Reason::kill;
  leaving_ = Leaving::awaiting_ack;
  exit_notice_ = Seq{next_seq_};
  send(wire::ExitedAfterDisconnect{});
}

void Child::leave(Reason reason) {
  if (reason == Reason::primary_asked) exited_after_disconnect_ = true;
  if (leaving_ != Leaving::no || !connected_) return;
  reason_ = reason;
  leaving_ = Leaving::closing_servers;
  for (const auto& [id, server] : servers_) {
    if (server.standing != Standing::closing) effects_.push_back(CloseServerEvent{id});
  }
  leave_if_closed();
}

void Child::leave_if_closed() {
  if (leaving_ != Leaving::closing_servers || !servers_.empty()) return;
  if (reason_ == Reason::primary_asked) {
    leaving_ = Leaving::gone;
    effects_.push_back(DisconnectPrimary{});
    return;
  }
  leaving_ = Leaving::awaiting_ack;
  exit_notice_ = Seq{next_seq_};
  send(wire::ExitedAfterDisconnect{});
}

void Child::handle_message(wire::ClusterMessage message, std::optional<FdToken> descriptor) {
  if (auto* reply = std::get_if<wire::Reply>(&message.body)) {
    if (exit_notice_ == reply->ack) {
      exit_notice_.reset();
      exited_after_disconnect_ = true;
      leaving_ = Leaving::gone;
      effects_.push_back(DisconnectPrimary{});
    } else if (const auto query = queries_.find(reply->ack); query != queries_.end()) {
      const ServerId id = query->second;
      queries_.erase(query);
      handle_answer(id, *reply, std::exchange(descriptor, std::nullopt));
    }
  } else if (const auto* connection = std::get_if<wire::NewConnection>(&message.body)) {
    const auto [verdict, server] = descriptor ? judge(connection->key) : std::pair(Verdict::refuse, ServerId{});
    send(wire::Reply{message.seq, verdict != Verdict::refuse});
    if (descriptor) carry_out(verdict, server, *std::exchange(descriptor, std::nullopt));
  } else if (const auto* counters = std::get_if<wire::Counters>(&message.body)) {
    if (descriptor && counters_.emplace(counters->key, *descriptor).second) descriptor.reset();
  } else if (std::holds_alternative<wire::Disconnect>(message.body)) {
    leave(Reason::primary_asked);
  } else if (const auto* muster = std::get_if<wire::Muster>(&message.body)) {
    // A version that this side does not speak.
    if (muster->extension == wire::no_extension || muster->extension != wire::common_extension(muster->extension))
      muster = nullptr;
    if (muster) extension_ = muster->extension;
    if (muster && descriptor) effects_.push_back(MapBoard{*std::exchange(descriptor, std::nullopt)});
  }
  if (descriptor) effects_.push_back(CloseDescriptor{*descriptor});
}

void Child::handle_answer(ServerId id, const wire::Reply& reply, std::optional<FdToken> descriptor) {
  const wire::ServerAnswer answer = reply.server.value_or(wire::ServerAnswer{});
  const int error_number = answer.error_number.value_or(0);
  std::optional<FdToken> counters;
  if (const auto found = counters_.find(answer.key); found != counters_.end()) {
    counters = found->second;
    counters_.erase(found);
  }

  const auto close_all = [this](std::optional<FdToken> one, std::optional<FdToken> other) {
    for (const auto descriptor : {one, other}) {
      if (descriptor) effects_.push_back(CloseDescriptor{*descriptor});
    }
  };
  if (abandoned_.erase(id) == 1) {
    close_all(descriptor, counters);
    if (error_number == 0) send(wire::Close{answer.key});
    return;
  }
  const auto found = servers_.find(id);
  MUSTER_ASSERT(found != servers_.end());
  Server& server = found->second;
  const auto refuse = [&](int error) {
    close_all(descriptor, counters);
    server.standing = Standing::refused;
    effects_.push_back(
        ServerErrorEvent{id, system_error(error, "bind", server.query.address.value_or(""),
                                          server.query.address_type == AddressType::pipe ? std::nullopt : server.query.port)});
  };
  if (error_number != 0) {
    // No correct primary says a positive number; the smallest has no opposite.
    return refuse(error_number < 0 && error_number != INT_MIN ? -error_number : EINVAL);
  }
  if (answer.error_number && !descriptor) {
    // It was lost on the way, which happens to a process that has no room for another descriptor.
    send(wire::Close{answer.key});
    return refuse(EMFILE);
  }
  if (!by_key_.emplace(answer.key, id).second) {
    // No correct primary names two open sockets of one worker alike: connections could not be told apart.
    return refuse(EADDRINUSE);
  }
  server.standing = Standing::listening;
  server.key = answer.key;
  if (descriptor) {
    effects_.push_back(ServerSharedEvent{id, *descriptor, counters});
  } else {
    close_all(counters, {});
    effects_.push_back(ServerListeningEvent{id, answer.socket_name});
  }
}

std::pair<Child::Verdict, ServerId> Child::judge(const std::string& key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return {Verdict::refuse, {}};
  const Server& server = servers_.at(found->second);
  if (!server.max_connections || server.connections < *server.max_connections) return {Verdict::take, found->second};
  return {server.drop ? Verdict::drop : Verdict::refuse, found->second};
}

void Child::carry_out(Verdict verdict, ServerId id, FdToken connection) {
  switch (verdict) {
    case Verdict::take:
      ++servers_.at(id).connections;
      ++connections_;
      effects_.push_back(ConnectionEvent{id, connection});
      return;
    case Verdict::drop: effects_.push_back(DropEvent{id, connection}); return;
    case Verdict::refuse: effects_.push_back(CloseDescriptor{connection}); return;
  }
}

void Child::handle_board() { send(wire::Muster{extension_}); }

void Child::handle_offered(const std::string& key, std::uint64_t number, std::optional<FdToken> connection, bool claimed) {
  if (!connection) return decide(number, wire::OfferReply::Outcome::not_received);
  if (!claimed) {
    // Somebody else has it. Not a byte of it was read here.
    effects_.push_back(CloseDescriptor{*connection});
    return decide(number, wire::OfferReply::Outcome::revoked);
  }
  const auto [verdict, server] = judge(key);
  decide(number, verdict == Verdict::refuse ? wire::OfferReply::Outcome::refused : wire::OfferReply::Outcome::accepted);
  carry_out(verdict, server, *connection);
}

void Child::handle_withdrawn(std::uint64_t number) { decide(number, wire::OfferReply::Outcome::revoked); }

void Child::decide(std::uint64_t number, wire::OfferReply::Outcome outcome) {
  if (decided_.outcomes.empty()) decided_.first = number;
  decided_.outcomes.push_back(outcome);
}

void Child::answer_offers() {
  if (decided_.outcomes.empty()) return;
  wire::OfferReply reply = std::exchange(decided_, {});
  if (connected_) effects_.push_back(AnswerOffers{std::move(reply)});
}

void Child::handle_connection_closed(ServerId id) {
  const auto found = servers_.find(id);
  if (found == servers_.end()) return;
  // A server that accepts for itself may report connections that were never counted here.
  if (found->second.connections == 0) return;
  --found->second.connections;
  --connections_;
}

void Child::handle_server_closed(ServerId id) {
  close(id);
  forget(id);
  leave_if_closed();
}

void Child::forget(ServerId id) {
  const auto found = servers_.find(id);
  if (found == servers_.end()) return;
  if (const auto index = indexes_.find(found->second.index_name); index != indexes_.end() && --index->second.open == 0) {
    indexes_.erase(index);
  }
  connections_ -= found->second.connections;
  servers_.erase(found);
}

void Child::handle_channel_closed() {
  if (!connected_) return;
  connected_ = false;
  const bool leaving = exited_after_disconnect_.value_or(false);
  exited_after_disconnect_ = leaving;
  leaving_ = Leaving::gone;
  effects_.push_back(WorkerDisconnectEvent{});
  // A worker that lost its primary does not go on alone. Node: process.exit(0).
  if (!leaving || reason_ == Reason::kill) effects_.push_back(Exit{0});
}

void Child::send(wire::Body body) {
  if (connected_) effects_.push_back(SendToPrimary{{std::move(body), Seq{next_seq_++}}});
}

std::optional<ChildEffect> Child::poll_effect() {
  if (effects_.empty()) return std::nullopt;
  std::optional<ChildEffect> effect(std::move(effects_.front()));
  effects_.pop_front();
  return effect;
}

}  // namespace muster::core
