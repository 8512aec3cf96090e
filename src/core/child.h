// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/effect.h"
#include "core/ids.h"
#include "core/wire.h"

namespace muster::core {

// A worker's side of a cluster: Node's internal/cluster/child.js without the doing. Commands and
// reports come in as calls, poll_effect() says what to do about them, as with Primary.
class Child {
 public:
  // Says `online` at once: it is the first thing a primary hears.
  explicit Child(WorkerId id);

  WorkerId id() const { return id_; }
  std::optional<bool> exited_after_disconnect() const { return exited_after_disconnect_; }
  // How many connections the servers have that the primary gave them.
  std::size_t connections() const { return connections_; }
  // Whether the primary is known to be muster's.
  bool muster_primary() const { return extension_ != wire::no_extension; }

  // Commands.
  // Asks the primary for a listening socket. `query.index` is found here. While the worker is leaving, a
  // server is told to close at once.
  ServerId listen(wire::ListenQuery query);
  // A server that does not ask the primary but is closed, like the others, when the worker leaves.
  ServerId listen_alone();
  // The program has been told that the server listens; the primary is told now.
  void announce(ServerId server, std::optional<int> port);
  // No more connections for this server. It is gone when handle_server_closed() says that the last of
  // its connections has ended.
  void close(ServerId server);
  // How many connections the server takes; nothing for no limit. With `drop`, what is over the limit is
  // closed here; otherwise it goes back to the primary, for another worker.
  void set_limit(ServerId server, std::optional<std::size_t> max_connections, bool drop);
  // worker.disconnect(): closes all servers, waits for them, tells the primary, closes the channel.
  void disconnect();
  // worker.kill(): tells the primary, closes the channel, exits with 0.
  void kill();

  // Reports.
  void handle_message(wire::ClusterMessage message, std::optional<FdToken> descriptor);
  // The board of MapBoard is mapped: offers may come.
  void handle_board();
  // One connection of an offer, in the order of their numbers; nothing when it did not come, and otherwise whether it could be
  // claimed. What has been decided of them is answered by answer_offers().
  void handle_offered(const std::string& key, std::uint64_t number, std::optional<FdToken> connection, bool claimed);
  void handle_withdrawn(std::uint64_t number);
  void answer_offers();
  void handle_connection_closed(ServerId server);
  void handle_server_closed(ServerId server);
  void handle_channel_closed();

  std::optional<ChildEffect> poll_effect();

 private:
  // `asking`: the primary has not answered. `refused`: it said no, and there is nothing to close there.
  enum class Standing { asking, listening, refused, closing, alone };

  struct Server {
    wire::ListenQuery query;
    std::string index_name;  // the listens that share a counter
    Standing standing = Standing::asking;
    std::string key = {};
    std::size_t connections = 0;
    std::optional<std::size_t> max_connections = {};
    bool drop = false;
  };
  // Numbers the listens of one address, from 0 again when none is left.
  struct Index {
    int next = 0;
    int open = 0;
  };
  // How far leaving has got, and who wanted it.
  enum class Leaving { no, closing_servers, awaiting_ack, gone };
  enum class Reason { primary_asked, disconnect, kill };

  void handle_answer(ServerId id, const wire::Reply& reply, std::optional<FdToken> descriptor);
  // What is to become of a connection for the socket of this key.
  enum class Verdict { take, drop, refuse };
  std::pair<Verdict, ServerId> judge(const std::string& key) const;
  void carry_out(Verdict verdict, ServerId id, FdToken connection);
  void decide(std::uint64_t number, wire::OfferReply::Outcome outcome);
  void leave(Reason reason);
  void leave_if_closed();
  void forget(ServerId id);
  void send(wire::Body body);

  WorkerId id_;
  std::optional<bool> exited_after_disconnect_;
  std::map<ServerId, Server> servers_;
  std::uint32_t next_server_ = 1;
  std::map<std::string, ServerId> by_key_;
  std::map<std::string, FdToken> counters_;  // came before the answer they are for
  std::map<std::string, Index> indexes_;
  std::map<Seq, ServerId> queries_;  // asked and not answered
  std::set<ServerId> abandoned_;     // closed before the answer came: to be closed when it does
  std::optional<Seq> exit_notice_;   // exitedAfterDisconnect, not acknowledged
  Leaving leaving_ = Leaving::no;
  Reason reason_ = Reason::primary_asked;
  bool connected_ = true;
  wire::ExtensionVersion extension_ = wire::no_extension;  // that the primary answered with
  std::size_t connections_ = 0;
  wire::OfferReply decided_;  // of offers, and not answered yet
  std::uint64_t next_seq_ = 0;
  std::deque<ChildEffect> effects_;
};

}  // namespace muster::core
