// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <muster/address.h>
#include <muster/error.h>
#include <muster/exit_status.h>
#include <muster/settings.h>
#include "core/ids.h"
#include "core/spawn_request.h"
#include "core/user.h"
#include "core/wire.h"

// All that the primary and the child can ask the outside to do. They never see a descriptor, only its
// token, and give each token away once: for sending (Send lends it), or for closing (CloseDescriptor).
namespace muster::core {

// What the program is told. In the order emitted, never from inside a call the program makes.
struct SetupEvent {
  Settings settings;
};
struct ForkEvent {
  WorkerId worker;
};
struct OnlineEvent {
  WorkerId worker;
};
struct ListeningEvent {
  WorkerId worker;
  Address address;
  bool type_given = true;  // otherwise the address has the usual one
  std::optional<int> fd = {};
};
struct DisconnectEvent {
  WorkerId worker;
};
struct ExitEvent {
  WorkerId worker;
  ExitStatus status;
};
struct ErrorEvent {
  WorkerId worker;
  Error error;
};
// cluster.disconnect() is done.
struct AllDisconnectedEvent {
  CallbackId callback;
};
// Every connection that was accepted before stop_listening() is with a worker, or closed because none is left.
struct ListeningStoppedEvent {
  CallbackId callback;
};
using PrimaryEvent = std::variant<SetupEvent, ForkEvent, OnlineEvent, ListeningEvent, DisconnectEvent, ExitEvent, ErrorEvent,
                                  AllDisconnectedEvent, ListeningStoppedEvent>;

// handle_spawned() or handle_spawn_failed() follows.
struct Spawn {
  WorkerId worker;
  SpawnRequest request;
};
struct SendToWorker {
  WorkerId worker;
  wire::ClusterMessage message;
  std::optional<FdToken> descriptor = {};
  std::optional<wire::HandleInfo> handle = {};
  bool give = false;  // the descriptor is closed here when the worker has it; otherwise it is lent
};
// Connections for a muster worker: each is put on its load board under its number, then all are sent in one frame.
struct Offer {
  WorkerId worker;
  std::string key;  // of the listening socket
  std::uint64_t first;
  std::vector<FdToken> connections;
};
// Takes an offer back on the load board, if the worker has not claimed it. handle_revoked() follows.
struct RevokeOffer {
  WorkerId worker;
  std::uint64_t number;
  ListenerId listener;
  FdToken connection;
};
// Put connections into the worker's queue, and close them here. handle_not_queued() for those that do not get there.
struct Enqueue {
  WorkerId worker;
  QueueNumber listener;
  std::vector<FdToken> connections;
};
// Count what the worker has read of its queue. handle_read() follows.
struct CountUnread {
  WorkerId worker;
};
// handle_read() when it has read about half of what it may have.
struct AwaitRoom {
  WorkerId worker;
};
// Read the worker's queue in its place. handle_drained() follows.
struct DrainQueue {
  WorkerId worker;
};
// Put an empty message into the queue. handle_read() when the worker has answered, handle_no_queue() where that cannot be.
struct PingQueue {
  WorkerId worker;
};
// The message goes with a load board, where one can be made.
struct ShareBoard {
  WorkerId worker;
  wire::ClusterMessage message;
};
// Closes the channel once everything before it is written.
struct DisconnectWorker {
  WorkerId worker;
};
enum class ListenMode {
  accept,  // listen and accept here; handle_connection() for each
  share,   // only bind: the workers listen on the descriptor
  kernel,  // make ready what deals to sockets of the workers' own; handle_no_kernel() where the machine cannot
};
// Uses what Primary::use_port() has for it, or binds. handle_listening() follows.
struct Listen {
  ListenerId listener;
  wire::ListenQuery query;
  ListenMode mode;
  // With whose rights; nothing for this process's. A port that was adopted serves everybody.
  std::optional<User> user = {};
};
struct StopListening {
  ListenerId listener;
};
// Accept the queued connections, then stop accepting.
struct AcceptLast {
  ListenerId listener;
};
// A kept port, and the file of a Unix socket with it.
struct ClosePort {
  FdToken socket;
};
// With ListenMode::kernel: a listening socket for this worker. handle_joined() follows.
struct Join {
  ListenerId listener;
  WorkerId worker;
  wire::ListenQuery query;
  std::optional<User> user = {};  // as in Listen
};
// The worker gets no connection there any more.
struct Part {
  ListenerId listener;
  WorkerId worker;
};
struct CloseDescriptor {
  FdToken descriptor;
};
// Tell by handle_probed() whether anybody has read from or written to this connection.
struct ProbeConnection {
  ListenerId listener;
  FdToken connection;
};
// handle_rested() after this time.
struct Rest {
  ListenerId listener;
  std::uint32_t milliseconds;
};
// handle_look() after this time.
struct Watch {
  ListenerId listener;
  std::uint32_t milliseconds;
};
// Ask the program who is to have this connection. handle_chosen() follows.
struct Choose {
  ListenerId listener;
  FdToken connection;
  std::vector<WorkerId> workers;
};
using PrimaryEffect = std::variant<Spawn, SendToWorker, Offer, RevokeOffer, Enqueue, CountUnread, AwaitRoom, DrainQueue,
                                   PingQueue, ShareBoard, DisconnectWorker, Listen, StopListening, AcceptLast, ClosePort, Join,
                                   Part, CloseDescriptor, ProbeConnection, Rest, Watch, Choose, PrimaryEvent>;

// In a worker. The primary accepts for this server: it is listening.
struct ServerListeningEvent {
  ServerId server;
  std::optional<wire::SocketName> socket_name;
};
// This server listens on a descriptor that it shares with other workers, and owns its copy.
struct ServerSharedEvent {
  ServerId server;
  FdToken descriptor;
  // The socket is this worker's alone, and a program in the kernel deals to it: where to count what is accepted.
  std::optional<FdToken> counters = {};
};
struct ServerErrorEvent {
  ServerId server;
  Error error;
};
// The server owns the connection.
struct ConnectionEvent {
  ServerId server;
  FdToken connection;
};
// The server is over its limit and asked to drop what comes: the program is told, and the connection closed.
struct DropEvent {
  ServerId server;
  FdToken connection;
};
// Close this server, because the worker is leaving; handle_server_closed() when its last connection
// has ended.
struct CloseServerEvent {
  ServerId server;
};
struct WorkerDisconnectEvent {};
using ChildEvent = std::variant<ServerListeningEvent, ServerSharedEvent, ServerErrorEvent, ConnectionEvent, DropEvent,
                                CloseServerEvent, WorkerDisconnectEvent>;

struct SendToPrimary {
  wire::ClusterMessage message;
};
struct AnswerOffers {
  wire::OfferReply reply;
};
// The primary's page for this worker; handle_board() when it is mapped.
struct MapBoard {
  FdToken descriptor;
};
struct DisconnectPrimary {};
struct Exit {
  int code;
};
using ChildEffect = std::variant<SendToPrimary, AnswerOffers, MapBoard, DisconnectPrimary, CloseDescriptor, Exit, ChildEvent>;

}  // namespace muster::core
