#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "core/ids.h"

namespace muster::core {

// Deals accepted connections to the workers that share one listening socket: one at a time for each
// worker, in the order the workers became free. Node's round_robin_handle.js.
//
// A connection is always in exactly one place: waiting, in flight to one worker, being looked at, or
// closed. Where Node forgets one, in flight to a worker that dies, ours is looked at: if nobody
// touched it, it is dealt again, first in line; otherwise it is closed and its client learns at once.
class RoundRobin {
 public:
  // Offer the connection to the worker; replied() follows, or lost().
  struct Handoff {
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
  using Effect = std::variant<Handoff, Close, Probe, Rest>;

  void add(WorkerId worker);
  // The worker listens here no more. What is in flight to it stays so until it answers or dies.
  void remove(WorkerId worker);
  // The worker is dead or out of reach.
  void lost(WorkerId worker);
  bool has(WorkerId worker) const;
  // What the worker has not answered for.
  std::optional<FdToken> in_flight(WorkerId worker) const;
  // Whether anybody listens. When the last one leaves, what waits is closed.
  bool has_workers() const { return !listening_.empty(); }
  // Whether nothing is in flight or being looked at.
  bool settled() const { return in_flight_.empty() && probing_.empty(); }

  void accepted(FdToken connection);
  void replied(WorkerId worker, bool accepted);
  void probed(FdToken connection, bool touched);
  void rested();

  std::optional<Effect> poll_effect();

 private:
  void deal();
  void close_waiting_if_deserted();

  std::set<WorkerId> listening_;
  std::map<WorkerId, FdToken> in_flight_;  // also of workers that listen no more
  std::deque<WorkerId> free_;
  std::vector<WorkerId> resting_;  // refused the last one: asked again after a rest, not in a loop
  std::deque<FdToken> waiting_;
  std::set<FdToken> probing_;
  std::deque<Effect> effects_;
};

}  // namespace muster::core
