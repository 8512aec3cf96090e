#include "core/round_robin.h"

#include <algorithm>

#include "core/assert.h"

namespace muster::core {

void RoundRobin::add(WorkerId worker) {
  const bool added = listening_.insert(worker).second;
  MUSTER_ASSERT(added);
  // A worker that came back before it answered is not free: it has one still.
  if (!in_flight_.contains(worker)) free_.push_back(worker);
  deal();
}

void RoundRobin::remove(WorkerId worker) {
  listening_.erase(worker);
  std::erase(free_, worker);
  std::erase(resting_, worker);
  close_waiting_if_deserted();
}

void RoundRobin::lost(WorkerId worker) {
  if (const auto found = in_flight_.find(worker); found != in_flight_.end()) {
    probing_.insert(found->second);
    effects_.push_back(Probe{found->second});
    in_flight_.erase(found);
  }
  remove(worker);
}

std::optional<FdToken> RoundRobin::in_flight(WorkerId worker) const {
  const auto found = in_flight_.find(worker);
  return found == in_flight_.end() ? std::nullopt : std::optional(found->second);
}

bool RoundRobin::has(WorkerId worker) const { return listening_.contains(worker); }

void RoundRobin::accepted(FdToken connection) {
  waiting_.push_back(connection);
  deal();
  close_waiting_if_deserted();
}

void RoundRobin::replied(WorkerId worker, bool accepted) {
  const auto found = in_flight_.find(worker);
  MUSTER_ASSERT(found != in_flight_.end());
  const FdToken connection = found->second;
  in_flight_.erase(found);
  if (accepted) {
    effects_.push_back(Close{connection});
  } else {
    waiting_.push_back(connection);
  }
  if (listening_.contains(worker)) {
    if (accepted) {
      free_.push_back(worker);
    } else {
      if (resting_.empty()) effects_.push_back(Rest{});
      resting_.push_back(worker);
    }
  }
  deal();
  close_waiting_if_deserted();
}

void RoundRobin::probed(FdToken connection, bool touched) {
  const bool expected = probing_.erase(connection) == 1;
  MUSTER_ASSERT(expected);
  if (touched) {
    effects_.push_back(Close{connection});
    return;
  }
  waiting_.push_front(connection);
  deal();
  close_waiting_if_deserted();
}

void RoundRobin::rested() {
  free_.insert(free_.end(), resting_.begin(), resting_.end());
  resting_.clear();
  deal();
}

void RoundRobin::deal() {
  while (!free_.empty() && !waiting_.empty()) {
    const WorkerId worker = free_.front();
    free_.pop_front();
    const FdToken connection = waiting_.front();
    waiting_.pop_front();
    const bool free = in_flight_.emplace(worker, connection).second;
    MUSTER_ASSERT(free);
    effects_.push_back(Handoff{worker, connection});
  }
}

void RoundRobin::close_waiting_if_deserted() {
  if (has_workers()) return;
  for (const FdToken connection : waiting_) effects_.push_back(Close{connection});
  waiting_.clear();
}

std::optional<RoundRobin::Effect> RoundRobin::poll_effect() {
  if (effects_.empty()) return std::nullopt;
  const Effect effect = effects_.front();
  effects_.pop_front();
  return effect;
}

}  // namespace muster::core
