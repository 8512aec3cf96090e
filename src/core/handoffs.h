// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "core/ids.h"
#include "core/wire.h"

namespace muster::core {

// The ledger of connections that are on their way: whose each is, and what its answer settles. Node's workers are sent one in a
// message of its own, which they answer by the message's number. Muster's are offered many, numbered one after the other, which
// they answer in that order. In a queue they are numbered too: the first so many are those that the worker has read.
class Handoffs {
 public:
  struct Handoff {
    WorkerId worker;
    ListenerId listener;
    FdToken connection;
  };
  // Offers, by their numbers.
  struct Range {
    std::uint64_t first = 0;
    std::size_t count = 0;
  };
  struct Answered {
    enum class Answer { accepted, refused, taken_back };
    Handoff handoff;
    Answer answer;
  };

  void send(Seq seq, Handoff handoff) { sent_.emplace(seq, handoff); }
  // What the worker answers by this number. Nothing where it was sent none such.
  std::optional<Handoff> take(WorkerId worker, Seq seq);
  // What did not arrive.
  std::optional<Handoff> take(WorkerId worker, FdToken connection);

  // The number of the offer. Nothing where the worker has as many as there are slots for.
  std::optional<std::uint64_t> offer(Handoff handoff);
  Range unanswered(WorkerId worker) const;
  // The offer of this connection, unless it was taken back.
  std::optional<std::uint64_t> find_offer(WorkerId worker, FdToken connection) const;
  void take_back(WorkerId worker, std::uint64_t number);
  // None for a reply that a correct worker does not make: out of order, or to nothing.
  std::vector<Answered> answer(WorkerId worker, const wire::OfferReply& reply);

  void queue(Handoff handoff) { queues_[handoff.worker].unread.push_back({handoff.listener, handoff.connection}); }
  void ping(WorkerId worker) { queues_[worker].unread.push_back({}); }
  struct Queued {
    std::optional<ListenerId> listener = {};  // nothing: a ping
    FdToken connection{};
  };
  // It has read so many since it has a queue.
  std::vector<Queued> read(WorkerId worker, std::uint64_t total);
  // The next so many are not there any more, and were not read.
  std::vector<Queued> drain(WorkerId worker, std::size_t count);
  // One that did not get there.
  std::optional<Queued> unqueue(WorkerId worker, FdToken connection);
  bool is_queued(WorkerId worker, ListenerId listener) const;
  // The worker gives back a connection: false when it has read none that it has not given back.
  bool give_back(WorkerId worker);

  // It can answer for nothing any more. Its offers can still be found, to be taken back, until it is forgotten.
  void lose(WorkerId worker);
  void forget(WorkerId worker) { offers_.erase(worker); }
  void forget_queue(WorkerId worker) { queues_.erase(worker); }

 private:
  struct Offered {
    ListenerId listener;
    FdToken connection;
    bool taken_back = false;
  };
  struct Offers {
    std::uint64_t first = 0;  // the number of the oldest
    std::deque<Offered> unanswered = {};
  };

  struct Queue {
    std::uint64_t read = 0;
    std::uint64_t given_back = 0;
    std::deque<Queued> unread = {};
  };

  std::map<Seq, Handoff> sent_;
  std::map<WorkerId, Queue> queues_;
  std::map<WorkerId, Offers> offers_;
};

}  // namespace muster::core
