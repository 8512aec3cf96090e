// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/net.h>
#include "api/bindable.h"
#include "api/cluster_state.h"
#include "api/emitter.h"
#include "api/handle_origin.h"
#include "core/wire.h"
#include "uv/acceptor.h"
#include "uv/socket.h"
#include "uv/keeper.h"

namespace muster::detail {

// Behind every stream server: where it listens, and how many connections it has. What is done with a
// connection is its user's affair.
class ServerState final : public Resource, public Reusable, public Bindable {
 public:
  ServerState(std::weak_ptr<ClusterState> cluster, LoopState& loop)
      : cluster_(std::move(cluster)), loop_(loop.shared_from_this()) {}

  // Gets each connection, and calls connection_closed() when it is done with it.
  Function<void(OwnedFd)> on_connection;

  void listen(ListenOptions options, Function<void()> listening);
  void listen_on(Handle handle, Function<void()> listening);
  Handle to_handle() const;
  void close(Function<void()> closed);
  void close_if_open() override;
  bool is_listening() const { return phase_ == Phase::listening; }
  bool closing() const { return phase_ == Phase::closing || phase_ == Phase::leaving; }
  // Closing because the worker leaves: what clients are still to be told goes with the answers to their next requests.
  bool leaving() const { return phase_ == Phase::leaving; }
  const std::optional<Address>& address() const { return address_; }
  std::size_t connections() const { return connections_; }
  // A connection that was accepted elsewhere.
  void adopt(OwnedFd connection);
  void connection_closed();
  void set_max_connections(std::optional<std::size_t> limit);
  void set_drop_max_connection(bool drop);
  void ref();
  void unref();
  void abandon() override;
  void drop_listeners() override;
  // Whom the loop keeps, with this, while it listens: a server of a higher protocol.
  std::weak_ptr<void> owner;
  // Runs when the program closes it: to close what is idle.
  Function<void()> on_closing;

  Emitter<net::Socket> connection;  // of a net::Server
  Emitter<> listening;
  Emitter<> closed;
  Emitter<const net::DroppedConnection&> dropped;
  Emitter<const Error&> error;

  // From the primary, in a worker.
  void handle_listening(const std::optional<core::wire::SocketName>& name) override;
  void handle_shared(OwnedFd socket, OwnedFd counters) override;
  void handle_error(const Error& failure) override;
  void handle_connection(OwnedFd connection) override;
  void handle_drop(int connection) override;

  // What its connections take with them to another process.
  const std::shared_ptr<HandleOrigin>& origin();
  const std::string& key() const { return key_; }
  void sent_through(const std::shared_ptr<RemoteSockets>& sockets);
  void count_connections(Function<void(std::error_code, std::size_t)> done);

 private:
  enum class Phase { idle, opening, listening, closing, leaving };

  // Null when the cluster is gone.
  std::shared_ptr<ClusterState> begin(Function<void()> listening, core::wire::ListenQuery query);
  // Listens without asking the primary, on a bound socket or with the error that there is none.
  // Asks the primary for the socket, or opens one here: in the primary, and for a server that is `alone`.
  void open(bool alone);
  void open_here(uv::Bound bound);
  // Listens on a bound socket. Returns an errno.
  int accept_on(OwnedFd socket, os::SocketFile file);
  void accept(OwnedFd connection);
  void start_listening();
  void fail(Error failure);
  void apply_limit();
  void close(Phase phase);
  // It listens again before it has closed: `closed` is told when it closes for good, as in Node.
  void reopen();
  void finish_closing();
  void wait_for(RemoteSockets& sockets);
  bool drained() const { return connections_ == 0 && waiting_elsewhere_ == 0; }

  std::weak_ptr<ClusterState> cluster_;
  const std::shared_ptr<LoopState> loop_;
  std::shared_ptr<void> held_owner_;
  Phase phase_ = Phase::idle;
  core::wire::ListenQuery query_;
  std::optional<core::ServerId> id_;        // in a worker
  std::unique_ptr<uv::Acceptor> acceptor_;  // where we accept ourselves
  std::unique_ptr<uv::Keeper> keeper_;      // where the primary accepts for us
  std::optional<Address> address_;
  std::size_t connections_ = 0;
  std::optional<std::size_t> max_connections_;
  // What it is called on channels, the channels that connections of this server went through, and how many of those it waits
  // for while it closes.
  std::string key_;
  std::shared_ptr<HandleOrigin> origin_;
  std::vector<std::weak_ptr<RemoteSockets>> elsewhere_;
  std::size_t waiting_elsewhere_ = 0;
  bool drop_ = false;
  bool ref_ = true;
  // Every listen() is another life: what is told of an earlier one is not for this one.
  std::uint64_t life_ = 0;
};

}  // namespace muster::detail
