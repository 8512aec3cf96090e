// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <variant>
#include <vector>

#include <muster/scheduling.h>
#include "core/ids.h"

namespace muster::core {

// A connection that was accepted. `client` stands for the address it came from: the same for the same, and used by ip_hash
// only.
struct Connection {
  FdToken token;
  std::uint64_t client = 0;
};

// Deals accepted connections to the workers that share one listening socket, by a policy. What Node's round_robin_handle.js
// does, and more.
//
// A worker has at most its window of connections that it has not answered for. For one that knows only Node's message that is
// one; others take more, because what they have not claimed, or read from their queue, can be taken back. A worker that does
// not take its oldest connection is stuck: it is dealt no more, and what it has not taken goes to others that have room. So no
// connection waits long for a stalled worker.
//
// A connection is always in exactly one place: waiting, in flight to one worker, lost with it, or closed. Where Node forgets
// one, in flight to a worker that dies, ours is looked at: if nobody touched it, it is dealt again, first in line; otherwise it
// is closed and its client learns at once. One that a muster worker has claimed is looked at when that has ended, and not
// before: without its channel it may still serve it.
class Dealer {
 public:
  // How a worker gets its connections: one at a time by Node's message; many, each to be claimed; or from a queue, where what
  // it has read is its own.
  enum class Intake { message, offers, queue };

  // Offer the connection to the worker; replied() follows, or lost().
  struct Handoff {
    WorkerId worker;
    FdToken connection;
    Intake intake;
  };
  // Of a worker with a queue: find out how much it has read. replied() for each that it has, and counted().
  struct Count {
    WorkerId worker;
  };
  // The same, when it has read some.
  struct AwaitRoom {
    WorkerId worker;
  };
  // Take back what the worker has not read: replied() or came_back() for each in flight.
  struct Drain {
    WorkerId worker;
  };
  // Find out when the worker reads its queue again. returned() follows.
  struct Ping {
    WorkerId worker;
  };
  // Take an offer back, if the worker has not claimed it; revoked() follows. The worker still answers for it: returned().
  struct Revoke {
    WorkerId worker;
    FdToken connection;
  };
  struct Close {
    FdToken connection;
  };
  // Find out whether a byte of it was read or written; probed() follows.
  struct Probe {
    FdToken connection;
  };
  // Call rested() in a while: workers have refused and are not asked before.
  struct Rest {};
  // Call look() in a while, because offers that could be taken back are unanswered.
  struct Watch {};
  // Ask the program which of the candidates() is to have it; chosen() follows.
  struct Ask {
    FdToken connection;
  };
  using Effect = std::variant<Handoff, Count, AwaitRoom, Drain, Ping, Revoke, Close, Probe, Rest, Watch, Ask>;

  // Who gets the next connection. `ask`: the program decides.
  enum class Policy { round_robin, least_connections, ip_hash, ask };

  // What became of an offer. `taken`: from a queue, so that there is nothing left to close here.
  enum class Answer { accepted, refused, taken };
  // Whether an offer came back, or its worker had it already.
  enum class Revoked { taken_back, claimed };
  // Whether a byte of a connection was read or written.
  enum class Probed { untouched, touched };

  // How many unanswered connections a worker may have that can be taken back. Enough that it need not wait for the next while
  // the answer to the last is on its way, and few enough to be dealt again when it stalls.
  static constexpr std::size_t window = 16;

  explicit Dealer(Policy policy = Policy::round_robin, std::size_t window = Dealer::window)
      : policy_(policy), window_(window) {}

  void add(WorkerId worker, Intake intake = Intake::message);
  void set_intake(WorkerId worker, Intake intake);
  // How many connections it has open, not counting what is in flight.
  void set_load(WorkerId worker, std::size_t open);
  // The worker listens here no more. What is in flight to it stays so until it answers or dies.
  void remove(WorkerId worker);
  // The worker is out of reach, and perhaps dead.
  void lost(WorkerId worker);
  // It has ended.
  void died(WorkerId worker);
  // It has no channel any more, but lives. What it may not have received it may still read when it does, so nobody else gets
  // that: it is closed when the worker has not died for a while.
  void lives_on(WorkerId worker);
  bool has(WorkerId worker) const;
  // Those that listen here and have not just refused one.
  std::vector<WorkerId> candidates() const;
  // Whether anybody listens. When the last one leaves, what waits is closed.
  bool has_workers() const { return listening_ > 0; }
  // Whether nothing is in flight or being looked at.
  bool settled() const;
  // Whether every connection is with a worker that has answered for it, or closed.
  bool calm() const;

  void accepted(Connection connection);
  void replied(WorkerId worker, FdToken connection, Answer answer);
  void revoked(WorkerId worker, FdToken connection, Revoked revoked);
  // The worker has seen that an offer was taken back, or reads its queue again.
  void returned(WorkerId worker);
  // Connections that were in the worker's queue, or did not get there, the oldest first; each by its old token and its new one.
  struct CameBack {
    FdToken connection;
    FdToken now;
  };
  void came_back(WorkerId worker, std::span<const CameBack> connections);
  void counted(WorkerId worker);
  // The worker takes no more for now.
  void rest(WorkerId worker);
  // A connection that a worker took and gives back. It is dealt next.
  void given_back(Connection connection);
  void probed(FdToken connection, Probed probed);
  void rested();
  void look();
  // Nobody, or one that does not listen here: anybody.
  void chosen(FdToken connection, std::optional<WorkerId> worker);

  std::optional<Effect> poll_effect();

 private:
  struct Worker {
    bool listening = false;
    std::uint32_t seat = 0;  // the lowest that nobody else sat on when it came: a successor takes its predecessor's
    Intake intake = Intake::message;
    std::size_t load = 0;
    std::uint64_t dealt = 0;  // in all, but never far behind most_dealt_
    std::deque<Connection> in_flight = {};
    std::size_t taken_back = 0;  // offers, or a ping, that it has not answered
    // Of a queue that seems full: it is being counted, or room is awaited.
    enum class Full { no, counting, awaiting } full = Full::no;
    std::optional<FdToken> oldest = {};  // in flight when last looked at
    unsigned looks = 0;                  // how often that was the same
    bool looked_at = false;              // the count that is under way is for that
    bool stuck = false;
    bool resting = false;             // refused the last one: asked again after a rest, not in a loop
    bool free = false;                // is in free_
    std::deque<Connection> own = {};  // waiting, and for no other
  };

  // A connection that was in flight to a worker that is lost. `held`: one that may live may have received it; `claimed`: it
  // has.
  struct Lost {
    enum class Stage { revoking, held, claimed, probing };
    Connection connection;
    WorkerId worker;
    Stage stage;
    bool dead = false;
    unsigned looks = 0;  // how often it was looked at
  };

  // Whether each connection has a worker of its own that it waits for.
  bool sticky() const { return policy_ == Policy::ip_hash || policy_ == Policy::ask; }
  bool has_room(const Worker& worker) const;
  void update(WorkerId id, Worker& worker);
  // Finds out whether it is stuck, by its oldest connection now and in the looks before.
  void look_at(WorkerId id, Worker& worker);
  void take_back(WorkerId id, Worker& worker);
  // Behind what waits already, or before it.
  void wait(Connection connection);
  void wait_first(Connection connection);
  // To its worker, or to be chosen one, where each connection has its own. False: it is anybody's.
  bool direct(Connection connection);
  void assign(WorkerId id, Connection connection);
  void offer(WorkerId id, Worker& worker, Connection connection);
  // Closes those that are held and were looked at so often. Whether some are held still.
  bool close_held(unsigned looks);
  // One that can go.
  void forget(WorkerId id);
  WorkerId next_free();
  void deal();
  void close_waiting_if_deserted();

  Policy policy_;
  std::size_t window_;
  std::map<WorkerId, Worker> workers_;  // also those that listen no more and have not answered
  std::size_t listening_ = 0;
  std::uint64_t most_dealt_ = 0;
  std::deque<WorkerId> free_;  // has room, in the order in which they got it
  std::deque<Connection> waiting_;
  std::map<FdToken, Connection> asked_;  // the program is to choose
  std::map<FdToken, Lost> lost_;
  bool watching_ = false;
  bool rest_wanted_ = false;
  std::deque<Effect> effects_;
};

}  // namespace muster::core
