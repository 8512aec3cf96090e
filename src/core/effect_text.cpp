// SPDX-License-Identifier: MIT
#include "core/effect_text.h"

#include <cstdint>
#include <string_view>

#include "core/listeners.h"

namespace muster::core {
namespace {

std::string text(FdToken fd) { return "fd" + std::to_string(static_cast<std::uint64_t>(fd)); }
std::string text(WorkerId worker) { return std::to_string(static_cast<std::uint32_t>(worker)); }
std::string text(ListenerId listener) { return std::to_string(static_cast<std::uint32_t>(listener)); }
std::string text(ServerId server) { return std::to_string(static_cast<std::uint32_t>(server)); }

// Without what every message has.
std::string text(const wire::ClusterMessage& message) {
  const std::string bytes = wire::encode(Serialization::json, message);
  return bytes.substr(0, bytes.rfind(",\"seq\"")).substr(std::string_view("{\"cmd\":\"NODE_CLUSTER\",").size());
}

struct Line {
  std::string operator()(const Spawn& e) const { return "spawn " + text(e.worker); }
  std::string operator()(const SendToWorker& e) const {
    return "send " + text(e.worker) + " " + text(e.message) + (e.descriptor ? " +" + text(*e.descriptor) : "");
  }
  std::string operator()(const Offer& e) const {
    std::string line = "offer " + text(e.worker) + " " + std::to_string(e.first) + " " + e.key;
    for (const FdToken connection : e.connections) line += " " + text(connection);
    return line;
  }
  std::string operator()(const RevokeOffer& e) const {
    return "revoke " + text(e.worker) + " " + std::to_string(e.number) + " " + text(e.connection);
  }
  std::string operator()(const Enqueue& e) const {
    std::string line = "enqueue " + text(e.worker) + " " + std::to_string(static_cast<std::uint32_t>(e.listener));
    for (const FdToken connection : e.connections) line += " " + text(connection);
    return line;
  }
  std::string operator()(const CountUnread& e) const { return "count " + text(e.worker); }
  std::string operator()(const AwaitRoom& e) const { return "await room " + text(e.worker); }
  std::string operator()(const DrainQueue& e) const { return "drain " + text(e.worker); }
  std::string operator()(const PingQueue& e) const { return "ping " + text(e.worker); }
  std::string operator()(const ShareBoard& e) const { return "board " + text(e.worker); }
  std::string operator()(const Watch& e) const { return "watch " + text(e.listener); }
  std::string operator()(const Choose& e) const {
    std::string line = "choose " + text(e.listener) + " " + text(e.connection) + " of";
    for (const WorkerId worker : e.workers) line += " " + text(worker);
    return line;
  }
  std::string operator()(const DisconnectWorker& e) const { return "disconnect channel " + text(e.worker); }
  std::string operator()(const Listen& e) const {
    return (e.mode == ListenMode::share ? "bind " : "listen ") + text(e.listener) + " " + Listeners::key_of(e.query);
  }
  std::string operator()(const StopListening& e) const { return "stop " + text(e.listener); }
  std::string operator()(const AcceptLast& e) const { return "accept last " + text(e.listener); }
  std::string operator()(const ClosePort& e) const { return "close port " + text(e.socket); }
  std::string operator()(const Join& e) const { return "join " + text(e.listener) + " " + text(e.worker); }
  std::string operator()(const Part& e) const { return "part " + text(e.listener) + " " + text(e.worker); }
  std::string operator()(const CloseDescriptor& e) const { return "close " + text(e.descriptor); }
  std::string operator()(const ProbeConnection& e) const { return "probe " + text(e.connection); }
  std::string operator()(const Rest& e) const { return "rest " + text(e.listener); }
  std::string operator()(const PrimaryEvent& e) const { return std::visit(*this, e); }
  std::string operator()(const SetupEvent&) const { return "setup"; }
  std::string operator()(const ForkEvent& e) const { return "fork " + text(e.worker); }
  std::string operator()(const OnlineEvent& e) const { return "online " + text(e.worker); }
  std::string operator()(const ListeningEvent& e) const { return "listening " + text(e.worker) + " " + to_string(e.address); }
  std::string operator()(const DisconnectEvent& e) const { return "disconnect " + text(e.worker); }
  std::string operator()(const ExitEvent& e) const { return "exit " + text(e.worker) + " " + e.status.to_string(); }
  std::string operator()(const ErrorEvent& e) const { return "error " + text(e.worker) + " " + e.error.message; }
  std::string operator()(const AllDisconnectedEvent& e) const {
    return "all disconnected " + std::to_string(static_cast<std::uint64_t>(e.callback));
  }
  std::string operator()(const ListeningStoppedEvent& e) const {
    return "listening stopped " + std::to_string(static_cast<std::uint64_t>(e.callback));
  }
  std::string operator()(const SendToPrimary& e) const { return "send " + text(e.message); }
  std::string operator()(const AnswerOffers& e) const {
    std::string line = "answer " + std::to_string(e.reply.first) + " ";
    for (const auto outcome : e.reply.outcomes) line += static_cast<char>(outcome);
    return line;
  }
  std::string operator()(const MapBoard& e) const { return "map " + text(e.descriptor); }
  std::string operator()(const DisconnectPrimary&) const { return "disconnect channel"; }
  std::string operator()(const Exit& e) const { return "exit " + std::to_string(e.code); }
  std::string operator()(const ChildEvent& e) const { return std::visit(*this, e); }
  std::string operator()(const ServerListeningEvent& e) const {
    return "listening " + text(e.server) + (e.socket_name ? " " + std::to_string(e.socket_name->port) : "");
  }
  std::string operator()(const ServerSharedEvent& e) const { return "shared " + text(e.server) + " " + text(e.descriptor); }
  std::string operator()(const ServerErrorEvent& e) const { return "error " + text(e.server) + " " + e.error.message; }
  std::string operator()(const ConnectionEvent& e) const { return "connection " + text(e.server) + " " + text(e.connection); }
  std::string operator()(const DropEvent& e) const { return "drop " + text(e.server) + " " + text(e.connection); }
  std::string operator()(const CloseServerEvent& e) const { return "close server " + text(e.server); }
  std::string operator()(const WorkerDisconnectEvent&) const { return "disconnect"; }
};

}  // namespace

std::string to_string(const PrimaryEffect& effect) { return std::visit(Line{}, effect); }
std::string to_string(const ChildEffect& effect) { return std::visit(Line{}, effect); }

}  // namespace muster::core
