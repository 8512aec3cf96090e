// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/address.h>
#include <muster/function.h>
#include <muster/handle.h>
#include <muster/loop.h>
#include <muster/scheduling.h>
#include <muster/settings.h>
#include <muster/supervision.h>
#include <muster/worker.h>

namespace muster {

namespace detail {
struct Access;
class ClusterState;
}  // namespace detail

// A connection that the primary has accepted and no worker has yet. A Unix socket has no addresses.
struct IncomingConnection {
  std::optional<Address> local_address = {};
  std::optional<Address> remote_address = {};
};

// A listening socket that a process has from another one. `name` is what it was opened for; an equal name in the process that
// adopts it finds the socket, and otherwise its address does.
struct ListeningSocket {
  std::string name = {};
  Handle socket = {};
  // The file of a Unix socket, which is removed when the socket is closed for good. Empty: it is somebody else's business.
  std::string path = {};
  // Which file that is: another one is not removed, whatever its name. 0: the one that is there when it is adopted.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  // Whether it serves every worker. One that workers opened serves those that listen with the same rights: of this user and
  // group, or of the primary where there is none.
  bool for_all = true;
  std::optional<int> uid = {}, gid = {};
};

// A scheduling policy of the program's own: which of these workers, all of which listen there, is to have the connection. It
// waits for that one, also while that is busy; when it leaves, the function is asked again. Nothing: any of them. An exception
// counts as nothing and is uncaught.
//
// Runs in the primary for each connection, in the order they were accepted, so it should be quick. It may run while other
// listeners are still to hear of what has just happened. It may read the cluster and its workers; what it does to them (fork(),
// disconnect(), send()) takes effect after the connection was dealt.
using ChooseWorker = Function<std::optional<Worker>(const IncomingConnection&, const std::vector<Worker>&)>;

// Node's `cluster`. Make one in main(), before anything that reads the environment: fork() tells a
// worker by NODE_UNIQUE_ID what it is, and a Node primary does the same, so a muster worker may have a
// Node primary and a Node worker a muster primary. Several clusters may live in one primary process.
//
// In a worker SIGPIPE is ignored from then on, unless the program has a handler: to print where nobody reads any more must not
// end it, as it does not end a Node worker.
//
// A primary that is process 1, as in a container, is not ended by SIGTERM and SIGINT unless something handles them. Where the
// program does not, Loop::run() returns 128 and the signal's number.
//
// No listener runs inside a call you make. For one event the worker's listeners run first, then the
// cluster's, then those of the worker's process; for `message` the cluster's come first.
class Cluster {
 public:
  // `loop` outlives it. The arguments become the workers' (Settings::args).
  Cluster(Loop& loop, int argc, char** argv);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
  // Closes servers and channels; workers that lose their channel so end by themselves. What names a
  // worker, a process or a server does nothing from then on.
  ~Cluster();

  [[nodiscard]] bool is_primary() const;
  [[nodiscard]] bool is_worker() const { return !is_primary(); }
  // Node's old name for it.
  [[deprecated("use is_primary()")]] bool is_master() const { return is_primary(); }
  // In a worker: itself. Node's cluster.worker.
  [[nodiscard]] std::optional<Worker> worker() const;
  // Workers that are neither gone nor asked to leave, by id: a snapshot, safe to disconnect from while
  // iterating. Empty in a worker.
  [[nodiscard]] std::map<int, Worker> workers() const;
  // Settings in force, defaults included. In a worker nothing is set.
  [[nodiscard]] const Settings& settings() const;
  [[nodiscard]] SchedulingPolicy scheduling_policy() const;
  // Frozen by the first setup_primary() or fork(): ignored after it, as in Node. NODE_CLUSTER_SCHED_POLICY
  // ("rr", "none", and the names of SchedulingPolicy) sets the default. Throws Exception for SchedulingPolicy::custom, which is
  // what a function is called.
  void set_scheduling_policy(SchedulingPolicy policy);
  void set_scheduling_policy(ChooseWorker choose);
  // This process.
  [[nodiscard]] Process process() const;

  // The calls below are the primary's; in a worker they throw Exception(Errc::invalid_arg_value).

  // Changes the settings for workers forked from now on. An `setup` event follows.
  void setup_primary(const Settings& settings = {});
  // Node's old name for it.
  [[deprecated("use setup_primary()")]] void setup_master(const Settings& settings = {}) { setup_primary(settings); }
  // Starts a worker with `env` added to this process's environment. A program that cannot be started is
  // an `error` event of the worker. Throws Exception for settings that contradict themselves.
  Worker fork(const Env& env = {});
  // Disconnects every worker; `done` runs when no worker is connected and nothing listens. (Node runs it
  // at the first worker's exit: docs/parity.md.)
  void disconnect(Function<void()> done = {});

  // Replaces each of workers() by a new one, a few at a time. The new worker is forked with the environment of the old one and
  // the settings in force; when it is ready (when it listens, if the old one did), the old one is asked to leave. `done` runs
  // when all are replaced, or when the reload was abandoned because a new worker died or was not ready in time. Old workers may
  // still be finishing then. Refused (`why`) while another reload is under way, and while a muster::Supervisor keeps the
  // workers. A worker that ends by itself meanwhile gets no successor. Not in Node.
  void reload(const ReloadOptions& options = {}, Function<void(const RolloutResult&)> done = {});

  // Node has nothing like the following, for primaries whose ports outlive their workers. In place under the policies that
  // accept in the primary, and `none`.

  // From now on a port stays open when its last worker leaves: clients wait in the system's queue for the next worker to listen
  // there. release_unused_ports() closes those that have no worker now.
  void keep_ports();
  void release_unused_ports();
  // A worker that asks for the address of this socket, which is bound already, gets it: one that systemd made, or a process
  // before this one. Throws Exception(Errc::invalid_handle_type) when it holds none.
  void adopt(ListeningSocket socket);
  // Duplicates of what is kept, for a process that comes after this one. Throws std::system_error where this process has no
  // descriptors for them.
  [[nodiscard]] std::vector<ListeningSocket> kept_ports() const;
  // That process has them, and removes the files of Unix sockets: this one leaves them.
  void leave_files();
  // Closes the ports, after accepting who is in their queues. `done` runs when every connection is with a worker: one that is
  // told to leave after that loses none.
  void stop_listening(Function<void()> done);

  Subscription on_setup(Listener<const Settings&> listener);
  Subscription on_fork(Listener<Worker> listener);
  Subscription on_online(Listener<Worker> listener);
  Subscription on_listening(Listener<Worker, const Address&> listener);
  Subscription on_message(Listener<Worker, Message&> listener);
  Subscription on_disconnect(Listener<Worker> listener);
  Subscription on_exit(Listener<Worker, ExitStatus> listener);
  // SchedulingPolicy::kernel was asked for and cannot be had, for this reason; round robin takes its place. Not in Node.
  Subscription on_policy_unavailable(Listener<const std::string&> listener);

 private:
  friend struct detail::Access;

  std::shared_ptr<detail::ClusterState> state_;
};

}  // namespace muster
