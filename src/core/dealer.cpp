// SPDX-License-Identifier: MIT
#include "core/dealer.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "core/policy.h"

namespace muster::core {
namespace {

// Of workers with equally many connections, one that was dealt fewer than the others is next until it is as far behind as this
// at most: what it missed while it stood still is forgotten.
constexpr std::uint64_t arrears = 256;

// In how many looks a queue's oldest connection must be the same before its worker is stuck. As a rule that is Node, whose
// turns are longer than those of muster's workers.
constexpr unsigned looks_at_queue = 3;

// How often it is looked whether a worker without a channel has ended, before what it may not have received is closed: a
// second's worth.
constexpr unsigned max_looks = 100;

}  // namespace

bool Dealer::has_room(const Worker& worker) const {
  const bool stuck = worker.stuck && !worker.in_flight.empty();
  return worker.listening && !worker.resting && !stuck && worker.taken_back == 0 &&
         worker.in_flight.size() < (worker.intake == Intake::message ? 1 : window_);
}

bool Dealer::has(WorkerId id) const {
  const auto found = workers_.find(id);
  return found != workers_.end() && found->second.listening;
}

std::vector<WorkerId> Dealer::candidates() const {
  std::vector<WorkerId> ids;
  for (const auto& [id, worker] : workers_) {
    if (worker.listening && !worker.resting) ids.push_back(id);
  }
  return ids;
}

bool Dealer::settled() const {
  return lost_.empty() && asked_.empty() && std::all_of(workers_.begin(), workers_.end(), [](const auto& entry) {
           return entry.second.listening || entry.second.in_flight.empty();
         });
}

bool Dealer::calm() const {
  return waiting_.empty() && lost_.empty() && asked_.empty() &&
         std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& entry) { return entry.second.in_flight.empty() && entry.second.own.empty(); });
}

void Dealer::add(WorkerId id, Intake intake) {
  // A worker that came back before it answered has that one still.
  Worker& worker = workers_[id];
  MUSTER_ASSERT(!worker.listening);
  const auto taken = [this](std::uint32_t seat) {
    return std::any_of(workers_.begin(), workers_.end(),
                       [seat](const auto& entry) { return entry.second.listening && entry.second.seat == seat; });
  };
  std::uint32_t seat = 0;
  while (policy_ == Policy::ip_hash && taken(seat)) ++seat;
  worker.seat = seat;
  worker.listening = true;
  worker.intake = intake;
  worker.dealt = most_dealt_;
  ++listening_;
  update(id, worker);
  deal();
}

void Dealer::set_intake(WorkerId id, Intake intake) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Worker& worker = found->second;
  if (worker.intake == intake) return;
  // The ping is gone with its queue.
  if (worker.intake == Intake::queue) worker.taken_back = 0;
  worker.intake = intake;
  worker.full = Worker::Full::no;
  update(id, found->second);
  deal();
}

void Dealer::set_load(WorkerId id, std::size_t open) {
  if (const auto found = workers_.find(id); found != workers_.end()) found->second.load = open;
}

void Dealer::remove(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || !found->second.listening) return;
  Worker& worker = found->second;
  worker.listening = false;
  worker.resting = false;
  --listening_;
  update(id, worker);
  for (const Connection& connection : std::exchange(worker.own, {})) wait(connection);
  forget(id);
  deal();
  close_waiting_if_deserted();
}

void Dealer::lost(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Worker& worker = found->second;
  for (const Connection& connection : std::exchange(worker.in_flight, {})) {
    // What can be taken back was not touched, whatever it is.
    const bool revocable = worker.intake != Intake::message;
    lost_.emplace(connection.token, Lost{connection, id, revocable ? Lost::Stage::revoking : Lost::Stage::held});
    if (worker.intake == Intake::offers) effects_.push_back(Revoke{id, connection.token});
  }
  worker.taken_back = 0;
  remove(id);
  forget(id);
}

void Dealer::died(WorkerId id) {
  for (auto& [token, lost] : lost_) {
    if (lost.worker != id) continue;
    lost.dead = true;
    if (lost.stage != Lost::Stage::held && lost.stage != Lost::Stage::claimed) continue;
    lost.stage = Lost::Stage::probing;
    effects_.push_back(Probe{token});
  }
}

void Dealer::lives_on(WorkerId id) {
  const auto held = [id](const auto& entry) { return entry.second.worker == id && entry.second.stage == Lost::Stage::held; };
  if (std::none_of(lost_.begin(), lost_.end(), held) || std::exchange(watching_, true)) return;
  effects_.push_back(Watch{});
}

void Dealer::accepted(Connection connection) {
  wait(connection);
  deal();
  close_waiting_if_deserted();
}

void Dealer::replied(WorkerId id, FdToken token, Answer answer) {
  if (answer == Answer::taken && lost_.erase(token) > 0) return;
  const auto found = workers_.find(id);
  MUSTER_ASSERT(found != workers_.end());
  Worker& worker = found->second;
  const auto answered = std::find_if(worker.in_flight.begin(), worker.in_flight.end(),
                                     [token](const Connection& connection) { return connection.token == token; });
  MUSTER_ASSERT(answered != worker.in_flight.end());
  const Connection connection = *answered;
  worker.in_flight.erase(answered);
  worker.stuck = false;
  if (answer == Answer::refused) {
    rest(id);
    wait(connection);
  } else {
    ++worker.load;
    worker.full = Worker::Full::no;
    if (answer == Answer::accepted) effects_.push_back(Close{token});
  }
  update(id, worker);
  forget(id);
  deal();
  close_waiting_if_deserted();
}

void Dealer::revoked(WorkerId id, FdToken token, Revoked revoked) {
  if (const auto found = lost_.find(token); found != lost_.end()) {
    Lost& lost = found->second;
    if (revoked == Revoked::taken_back) return probed(token, Probed::untouched);
    lost.stage = lost.dead ? Lost::Stage::probing : Lost::Stage::claimed;
    if (lost.dead) effects_.push_back(Probe{token});
    return;
  }
  // It is being served: the answer is on its way.
  if (revoked == Revoked::claimed) return;
  const auto found = workers_.find(id);
  MUSTER_ASSERT(found != workers_.end());
  Worker& worker = found->second;
  const auto offered = std::find_if(worker.in_flight.begin(), worker.in_flight.end(),
                                    [token](const Connection& connection) { return connection.token == token; });
  MUSTER_ASSERT(offered != worker.in_flight.end());
  const Connection connection = *offered;
  worker.in_flight.erase(offered);
  ++worker.taken_back;
  update(id, worker);
  wait_first(connection);
  deal();
}

void Dealer::came_back(WorkerId id, std::span<const CameBack> connections) {
  const auto found = workers_.find(id);
  std::vector<Connection> back;
  for (const auto& [was, now] : connections) {
    if (const auto lost = lost_.find(was); lost != lost_.end()) {
      back.push_back({now, lost->second.connection.client});
      lost_.erase(lost);
      continue;
    }
    MUSTER_ASSERT(found != workers_.end());
    auto& in_flight = found->second.in_flight;
    const auto queued = std::find_if(in_flight.begin(), in_flight.end(),
                                     [token = was](const Connection& connection) { return connection.token == token; });
    MUSTER_ASSERT(queued != in_flight.end());
    back.push_back({now, queued->client});
    in_flight.erase(queued);
  }
  if (found != workers_.end()) {
    update(id, found->second);
    forget(id);
  }
  std::for_each(back.rbegin(), back.rend(), [this](const Connection& connection) { wait_first(connection); });
  deal();
  close_waiting_if_deserted();
}

void Dealer::counted(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end()) return;
  Worker& worker = found->second;
  if (std::exchange(worker.looked_at, false)) {
    look_at(id, worker);
    if (worker.stuck && !free_.empty()) take_back(id, worker);
  }
  if (worker.in_flight.size() < window_) {
    worker.full = Worker::Full::no;
  } else if (std::exchange(worker.full, Worker::Full::awaiting) == Worker::Full::counting) {
    // Once. If that is too early, look() finds the room.
    effects_.push_back(AwaitRoom{id});
  }
  update(id, worker);
  deal();
}

void Dealer::rest(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || !found->second.listening || found->second.resting) return;
  found->second.resting = true;
  update(id, found->second);
  if (!std::exchange(rest_wanted_, true)) effects_.push_back(Rest{});
}

void Dealer::given_back(Connection connection) {
  wait_first(connection);
  deal();
  close_waiting_if_deserted();
}

void Dealer::returned(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || found->second.taken_back == 0) return;
  --found->second.taken_back;
  found->second.stuck = false;
  update(id, found->second);
  forget(id);
  deal();
}

void Dealer::probed(FdToken token, Probed probed) {
  const auto found = lost_.find(token);
  MUSTER_ASSERT(found != lost_.end());
  const Connection connection = found->second.connection;
  lost_.erase(found);
  if (probed == Probed::touched) {
    effects_.push_back(Close{token});
    return;
  }
  wait_first(connection);
  deal();
  close_waiting_if_deserted();
}

void Dealer::rested() {
  rest_wanted_ = false;
  for (auto& [id, worker] : workers_) {
    if (!std::exchange(worker.resting, false)) continue;
    update(id, worker);
  }
  for (const Connection& connection : std::exchange(waiting_, {})) wait(connection);
  deal();
}

void Dealer::look() {
  watching_ = false;
  for (auto& [token, lost] : lost_) ++lost.looks;
  bool again = close_held(max_looks);
  for (auto& [id, worker] : workers_) {
    // A sticky connection waits for its own worker. From a queue no answer comes, so that has to be counted all the same.
    if (worker.in_flight.empty() || worker.intake == Intake::message || (sticky() && worker.intake == Intake::offers)) continue;
    again = true;
    if (worker.intake == Intake::offers) {
      look_at(id, worker);
    } else {
      worker.looked_at = true;
      effects_.push_back(Count{id});
    }
  }
  // Where everybody is busy it is as well off where it is.
  for (auto& [id, worker] : workers_) {
    if (free_.empty()) break;
    if (worker.stuck && worker.intake == Intake::offers) take_back(id, worker);
  }
  if (!again) return;
  watching_ = true;
  effects_.push_back(Watch{});
}

void Dealer::look_at(WorkerId id, Worker& worker) {
  if (sticky() || worker.in_flight.empty()) return;
  const FdToken front = worker.in_flight.front().token;
  worker.looks = worker.oldest == front ? worker.looks + 1 : 0;
  worker.oldest = front;
  worker.stuck = worker.looks >= (worker.intake == Intake::queue ? looks_at_queue : 1);
  update(id, worker);
}

void Dealer::take_back(WorkerId id, Worker& worker) {
  if (worker.intake == Intake::offers) {
    for (const Connection& connection : worker.in_flight) effects_.push_back(Revoke{id, connection.token});
  } else if (worker.taken_back == 0) {
    worker.taken_back = 1;
    effects_.push_back(Drain{id});
    effects_.push_back(Ping{id});
  }
}

bool Dealer::close_held(unsigned looks) {
  bool left = false;
  std::erase_if(lost_, [&](const auto& entry) {
    const Lost& lost = entry.second;
    if (lost.stage != Lost::Stage::held) return false;
    const bool close = lost.looks >= looks;
    if (close) effects_.push_back(Close{entry.first});
    left |= !close;
    return close;
  });
  return left;
}

void Dealer::chosen(FdToken token, std::optional<WorkerId> chosen) {
  const auto asked = asked_.find(token);
  MUSTER_ASSERT(asked != asked_.end());
  const Connection connection = asked->second;
  asked_.erase(asked);
  if (chosen && has(*chosen) && !workers_.at(*chosen).resting) return assign(*chosen, connection);
  const std::vector<WorkerId> ids = candidates();
  if (ids.empty()) {
    waiting_.push_back(connection);
    return close_waiting_if_deserted();
  }
  std::vector<policy::Share> shares;
  shares.reserve(ids.size());
  for (const WorkerId id : ids) {
    const Worker& worker = workers_.at(id);
    shares.push_back({worker.in_flight.size() + worker.own.size(), worker.dealt});
  }
  assign(ids[policy::least_connections(shares)], connection);
}

void Dealer::wait(Connection connection) {
  if (!direct(connection)) waiting_.push_back(connection);
}

void Dealer::wait_first(Connection connection) {
  if (!direct(connection)) waiting_.push_front(connection);
}

bool Dealer::direct(Connection connection) {
  const std::vector<WorkerId> ids = sticky() ? candidates() : std::vector<WorkerId>();
  if (ids.empty()) return false;
  if (policy_ == Policy::ip_hash) {
    std::vector<std::uint32_t> seats;
    seats.reserve(ids.size());
    for (const WorkerId id : ids) seats.push_back(workers_.at(id).seat);
    assign(ids[policy::ip_hash(connection.client, seats)], connection);
  } else {
    asked_.emplace(connection.token, connection);
    effects_.push_back(Ask{connection.token});
  }
  return true;
}

void Dealer::assign(WorkerId id, Connection connection) {
  Worker& worker = workers_.at(id);
  worker.own.push_back(connection);
  update(id, worker);
}

// Whether a worker has room has changed, perhaps: keeps free_ right, and gives it its own connections.
void Dealer::update(WorkerId id, Worker& worker) {
  while (has_room(worker) && !worker.own.empty()) {
    const Connection connection = worker.own.front();
    worker.own.pop_front();
    offer(id, worker, connection);
  }
  if (worker.intake == Intake::queue && worker.full == Worker::Full::no && worker.in_flight.size() >= window_) {
    worker.full = Worker::Full::counting;
    effects_.push_back(Count{id});
  }
  const bool free = has_room(worker);
  if (free == worker.free) return;
  worker.free = free;
  if (free) {
    free_.push_back(id);
  } else {
    std::erase(free_, id);
  }
}

void Dealer::offer(WorkerId id, Worker& worker, Connection connection) {
  worker.in_flight.push_back(connection);
  worker.dealt = std::max(worker.dealt + 1, most_dealt_ - std::min(most_dealt_, arrears));
  most_dealt_ = std::max(most_dealt_, worker.dealt);
  effects_.push_back(Handoff{id, connection.token, worker.intake});
  const bool watched = worker.intake == Intake::queue || (worker.intake == Intake::offers && !sticky());
  if (!watched || std::exchange(watching_, true)) return;
  effects_.push_back(Watch{});
}

void Dealer::forget(WorkerId id) {
  const auto found = workers_.find(id);
  if (found == workers_.end() || found->second.listening || !found->second.in_flight.empty()) return;
  workers_.erase(found);
}

WorkerId Dealer::next_free() {
  auto next = free_.begin();
  if (policy_ == Policy::least_connections) {
    std::vector<policy::Share> shares;
    shares.reserve(free_.size());
    for (const WorkerId id : free_) {
      const Worker& worker = workers_.at(id);
      shares.push_back({worker.load + worker.in_flight.size(), worker.dealt});
    }
    next += static_cast<std::ptrdiff_t>(policy::least_connections(shares));
  }
  const WorkerId id = *next;
  free_.erase(next);
  return id;
}

void Dealer::deal() {
  while (!sticky() && !free_.empty() && !waiting_.empty()) {
    const WorkerId id = next_free();
    Worker& worker = workers_.at(id);
    const Connection connection = waiting_.front();
    waiting_.pop_front();
    offer(id, worker, connection);
    worker.free = false;
    update(id, worker);
  }
}

void Dealer::close_waiting_if_deserted() {
  if (has_workers()) return;
  close_held(0);
  for (const Connection& connection : waiting_) effects_.push_back(Close{connection.token});
  waiting_.clear();
}

std::optional<Dealer::Effect> Dealer::poll_effect() {
  if (effects_.empty()) return std::nullopt;
  const Effect effect = effects_.front();
  effects_.pop_front();
  return effect;
}

}  // namespace muster::core
