// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <muster/scheduling.h>
#include "core/effect.h"
#include "core/handoffs.h"
#include "core/ids.h"
#include "core/inspection.h"
#include "core/lifecycle.h"
#include "core/listen_rights.h"
#include "core/listeners.h"
#include "core/ports.h"
#include "core/wire.h"

namespace muster::core {

// What is known of a worker. The program may keep it when the worker is gone.
struct WorkerRecord {
  WorkerId id;
  std::string spawn_file = {};
  std::vector<std::string> spawn_args = {};
  int pid = 0;  // 0: it could not be started
  Lifecycle lifecycle = {};
  std::optional<bool> exited_after_disconnect = {};
  bool connected = true;
  bool muster = false;                       // it has said so
  bool takes_offers = false;                 // it has mapped its load board
  bool has_board = true;                     // unless the system had none for it
  std::optional<int> queue_descriptor = {};  // the queue that it was started with
  bool has_queue = false;                    // it takes what it is dealt from that
  std::shared_ptr<const ListenRights> rights = {};
  std::optional<ExitStatus> exit_status = {};
  bool listed = true;  // in cluster.workers
};

// The primary's side of a cluster: Node's internal/cluster/primary.js without the doing.
//
// Commands and reports come in as calls; what is to be done about them comes out of poll_effect(), to
// be polled until it is empty after each call. A PrimaryEvent among the effects is for the program,
// which may call in again while it handles it.
class Primary {
 public:
  // `defaults` are what cluster.settings starts from; `exec` must be set.
  Primary(Settings defaults, SchedulingPolicy policy);

  // Before the first fork().
  void set_host(Host host) { host_ = std::move(host); }
  const Host& host() const { return host_; }

  // Commands.
  void setup_primary(const Settings& changes);
  // The number of the next worker. It is spent, even when the fork throws, as in Node.
  WorkerId take_id() { return WorkerId{next_worker_++}; }
  // Throws Exception for settings that cannot be; no worker was made then. `node_options` is this process's NODE_OPTIONS: it
  // may ask for inspection. `inspect_port` is what Settings::inspect_port says, which is the program's code and is asked
  // before.
  std::shared_ptr<const WorkerRecord> fork(WorkerId id, const Env& env, std::string_view node_options = {},
                                           std::optional<int> inspect_port = {});
  // With these settings and no other, and with this environment alone: NAME=value each.
  std::shared_ptr<const WorkerRecord> fork(WorkerId id, Settings settings, std::vector<std::string> environment,
                                           std::string_view node_options, std::optional<int> inspect_port);
  // Those of the next worker; settings() may be empty still.
  const Settings& next_settings() const { return settings_; }
  // worker.disconnect(): asks the worker to close its servers and leave.
  void disconnect(WorkerId worker);
  // worker.process.disconnect(): closes the channel. Returns false when it was closed already.
  bool disconnect_channel(WorkerId worker);
  // cluster.disconnect(): an AllDisconnectedEvent when no worker is connected and nothing listens.
  void disconnect_all(std::optional<CallbackId> callback);
  // Listening sockets stay open from now on while no worker listens on them.
  void keep_ports() { ports_.keep(host_.max_listeners); }
  void release_unused_ports();
  // One that somebody else has bound.
  void adopt(Ports::Port port);
  const Ports& ports() const { return ports_; }
  // Accepts what is queued and closes every port: a ListeningStoppedEvent.
  void stop_listening(CallbackId callback);
  // Until the first setup_primary() or fork(); ignored after it, as in Node.
  void set_scheduling_policy(SchedulingPolicy policy);

  // Empty before the first setup_primary() or fork(), as Node's.
  const Settings& settings() const { return policy_frozen_ ? settings_ : no_settings_; }
  SchedulingPolicy scheduling_policy() const { return policy_; }
  // cluster.workers.
  std::vector<std::shared_ptr<const WorkerRecord>> workers() const;

  // Reports.
  void handle_spawned(WorkerId worker, int pid);
  void handle_spawn_failed(WorkerId worker, Error error);
  void handle_message(WorkerId worker, wire::ClusterMessage message);
  void handle_message(WorkerId worker, const wire::OfferReply& reply);
  void handle_error(WorkerId worker, Error error);
  // A connection that was offered to the worker did not arrive: it is another's. A Node worker says no more than that.
  void handle_not_received(WorkerId worker, FdToken connection);
  void handle_channel_closed(WorkerId worker);
  void handle_exit(WorkerId worker, ExitStatus status);

  struct ListenResult {
    int error_number = 0;  // an errno, 0 for success
    std::optional<wire::SocketName> socket_name = {};
    std::optional<FdToken> descriptor = {};  // for ListenMode::share; the core's from here on
    std::optional<BoundSocket> keep = {};    // where keeps_port(): a duplicate, the core's from here on
  };
  // While a Listen is performed: the socket that is bound already for what this listener asks for, lent. `numeric` is its
  // address where that is a name.
  std::optional<FdToken> use_port(ListenerId listener, const std::string& numeric);
  // Whether what is bound for this listener is to be kept.
  bool keeps_port(ListenerId listener);
  void handle_listening(ListenerId listener, ListenResult result);
  // With ListenMode::kernel. Round robin takes its place, there and everywhere after.
  void handle_no_kernel(ListenerId listener);
  // There is no board to share with this worker, which gets no offers, whatever it says.
  void handle_no_board(WorkerId worker);
  struct JoinResult {
    int error_number = 0;
    std::optional<wire::SocketName> socket_name = {};
    // The socket and its counters, the worker's: closed when it has them.
    std::optional<FdToken> descriptor = {};
    std::optional<FdToken> counters = {};
  };
  void handle_joined(ListenerId listener, WorkerId worker, JoinResult result);
  void handle_connections(ListenerId listener, std::span<const Connection> connections);
  // How many connections a worker has open, which only least_connections asks. Not those that it has not answered for.
  void handle_load(ListenerId listener, WorkerId worker, std::size_t open);
  // Which offers a worker has not answered for.
  Handoffs::Range unanswered_offers(WorkerId worker) const { return handoffs_.unanswered(worker); }
  void handle_revoked(WorkerId worker, ListenerId listener, FdToken connection, std::uint64_t number, Dealer::Revoked revoked);
  // This worker was started without its queue, or that is broken.
  void handle_no_queue(WorkerId worker);
  // These are not in the worker's queue.
  void handle_not_queued(WorkerId worker, std::span<const FdToken> connections);
  // How many messages of its queue the worker has read in all.
  void handle_read(WorkerId worker, std::uint64_t total);
  // The rest of it, the oldest first: the connections by new tokens, nothing for a ping. They count as never queued.
  void handle_drained(WorkerId worker, std::uint64_t total_read, std::span<const std::optional<FdToken>> unread);
  // A connection that a GiveBack brought: the core's from here on.
  void handle_given_back(WorkerId worker, QueueNumber listener, Connection connection);
  void handle_look(ListenerId listener);
  void handle_chosen(ListenerId listener, FdToken connection, std::optional<WorkerId> worker);
  void handle_probed(ListenerId listener, FdToken connection, Dealer::Probed probed);
  void handle_rested(ListenerId listener);

  std::optional<PrimaryEffect> poll_effect();

 private:
  std::shared_ptr<const WorkerRecord> start(WorkerId id, SpawnRequest&& request);

  void handle(WorkerRecord& worker, Seq seq, const wire::Online& message);
  void handle(WorkerRecord& worker, Seq seq, const wire::QueryServer& message);
  void handle(WorkerRecord& worker, Seq seq, const wire::Listening& message);
  void handle(WorkerRecord& worker, Seq seq, const wire::Close& message);
  void handle(WorkerRecord& worker, Seq seq, const wire::ExitedAfterDisconnect&);
  void handle(WorkerRecord& worker, Seq seq, const wire::Reply& message);
  void handle(WorkerRecord& worker, Seq seq, const wire::Muster& message);
  void handle(WorkerRecord& worker, Seq seq, const wire::Queue& message);
  template <class Other>
  void handle(WorkerRecord&, Seq, const Other&) {}

  WorkerRecord* find(WorkerId worker);
  std::vector<std::shared_ptr<WorkerRecord>> records() const;
  void send(WorkerId worker, wire::Body body, std::optional<FdToken> descriptor = {},
            wire::HandleKind kind = wire::HandleKind::net_native);
  void answer(Listener& listener, Listener::Waiting waiting, int error_number);
  void add(const WorkerRecord& worker, Listener& listener);
  ListenMode mode_for(const WorkerRecord& worker, const wire::ListenQuery& query) const;
  // Sends a descriptor that nobody else needs.
  void give(WorkerId worker, wire::Body body, FdToken descriptor, wire::HandleKind kind);
  void refuse(WorkerId worker, Seq query, std::string key, Value data, std::errc error);
  void tell_not_permitted(WorkerId worker, const wire::ListenQuery& query);
  // Reports that a socket which was opened with other rights is in the way.
  void tell_of_others(WorkerId worker, const wire::ListenQuery& query);
  void conclude(const Handoffs::Handoff& handoff, Dealer::Answer answer);
  Dealer::Intake intake(const WorkerRecord& worker, const Listener& listener) const;
  void revoke(Listener& listener, const Dealer::Revoke& revoke);
  void hand_over(const Listener& listener, const Dealer::Handoff& handoff);
  void leave(ListenerId id, WorkerId worker);
  void leave_all(WorkerId worker);
  // Its channel is closed. It has ended, or may live.
  void lose(const WorkerRecord& worker);
  // Has the worker's queue emptied, unless nothing for this listener is in it.
  void drain(WorkerId worker, ListenerId id);
  // What was gathered, as effects. Before one that looks at a queue.
  void push_gathered();
  // Turns what the scheduler wants into effects, and lets the listener go when it is done.
  void settle(ListenerId id);
  void forget_if_gone(WorkerRecord& worker);
  void report_disconnected();
  void close_ports(const std::vector<FdToken>& sockets);

  Host host_;
  Settings no_settings_;
  Settings settings_;
  SchedulingPolicy policy_;
  bool policy_frozen_ = false;
  std::map<WorkerId, std::shared_ptr<WorkerRecord>> workers_;
  std::uint32_t next_worker_ = 1;
  Listeners listeners_;
  Ports ports_;
  InspectPorts inspect_ports_;
  Handoffs handoffs_;
  // Gathered while a scheduler is settled.
  std::vector<Offer> offering_;
  std::vector<Enqueue> queueing_;
  std::uint64_t next_seq_ = 0;
  std::vector<CallbackId> disconnect_callbacks_;
  std::optional<CallbackId> stopping_;  // stop_listening() is to be told
  std::deque<PrimaryEffect> effects_;
};

}  // namespace muster::core
