// SPDX-License-Identifier: MIT
#include "core/handoffs.h"

#include <algorithm>
#include <utility>

#include "core/limits.h"

namespace muster::core {

std::optional<Handoffs::Handoff> Handoffs::take(WorkerId worker, Seq seq) {
  const auto found = sent_.find(seq);
  if (found == sent_.end() || found->second.worker != worker) return std::nullopt;
  return sent_.extract(found).mapped();
}

std::optional<Handoffs::Handoff> Handoffs::take(WorkerId worker, FdToken connection) {
  const auto found = std::find_if(sent_.begin(), sent_.end(), [&](const auto& entry) {
    return entry.second.worker == worker && entry.second.connection == connection;
  });
  if (found == sent_.end()) return std::nullopt;
  return sent_.extract(found).mapped();
}

std::optional<std::uint64_t> Handoffs::offer(Handoff handoff) {
  Offers& offers = offers_[handoff.worker];
  if (offers.unanswered.size() >= offer_slots) return std::nullopt;
  offers.unanswered.push_back({handoff.listener, handoff.connection});
  return offers.first + offers.unanswered.size() - 1;
}

Handoffs::Range Handoffs::unanswered(WorkerId worker) const {
  const auto found = offers_.find(worker);
  if (found == offers_.end()) return {};
  return {found->second.first, found->second.unanswered.size()};
}

std::optional<std::uint64_t> Handoffs::find_offer(WorkerId worker, FdToken connection) const {
  const auto found = offers_.find(worker);
  if (found == offers_.end()) return std::nullopt;
  const auto& unanswered = found->second.unanswered;
  const auto offered = std::find_if(unanswered.begin(), unanswered.end(), [connection](const Offered& offer) {
    return offer.connection == connection && !offer.taken_back;
  });
  if (offered == unanswered.end()) return std::nullopt;
  return found->second.first + static_cast<std::uint64_t>(offered - unanswered.begin());
}

void Handoffs::take_back(WorkerId worker, std::uint64_t number) {
  const auto found = offers_.find(worker);
  if (found == offers_.end() || number < found->second.first) return;
  found->second.unanswered.at(number - found->second.first).taken_back = true;
}

std::vector<Handoffs::Answered> Handoffs::answer(WorkerId worker, const wire::OfferReply& reply) {
  std::vector<Answered> answered;
  const auto found = offers_.find(worker);
  if (found == offers_.end() || reply.first != found->second.first) return answered;
  Offers& offers = found->second;
  for (const auto outcome : reply.outcomes) {
    if (offers.unanswered.empty()) break;
    const Offered offered = offers.unanswered.front();
    offers.unanswered.pop_front();
    ++offers.first;
    using Answer = Answered::Answer;
    const Answer answer = outcome == wire::OfferReply::Outcome::accepted ? Answer::accepted : Answer::refused;
    answered.push_back({{worker, offered.listener, offered.connection}, offered.taken_back ? Answer::taken_back : answer});
  }
  return answered;
}

std::vector<Handoffs::Queued> Handoffs::read(WorkerId worker, std::uint64_t total) {
  std::vector<Queued> read;
  const auto found = queues_.find(worker);
  if (found == queues_.end()) return read;
  Queue& queue = found->second;
  for (; queue.read < total && !queue.unread.empty(); ++queue.read) {
    read.push_back(queue.unread.front());
    queue.unread.pop_front();
  }
  return read;
}

std::vector<Handoffs::Queued> Handoffs::drain(WorkerId worker, std::size_t count) {
  const auto found = queues_.find(worker);
  if (found == queues_.end()) return {};
  auto& unread = found->second.unread;
  const auto end = unread.begin() + static_cast<std::ptrdiff_t>(std::min(count, unread.size()));
  std::vector<Queued> drained(unread.begin(), end);
  unread.erase(unread.begin(), end);
  return drained;
}

std::optional<Handoffs::Queued> Handoffs::unqueue(WorkerId worker, FdToken connection) {
  const auto found = queues_.find(worker);
  if (found == queues_.end()) return std::nullopt;
  auto& unread = found->second.unread;
  const auto queued = std::find_if(unread.begin(), unread.end(),
                                   [connection](const Queued& one) { return one.listener && one.connection == connection; });
  if (queued == unread.end()) return std::nullopt;
  const Queued removed = *queued;
  unread.erase(queued);
  return removed;
}

bool Handoffs::is_queued(WorkerId worker, ListenerId listener) const {
  const auto found = queues_.find(worker);
  return found != queues_.end() && std::any_of(found->second.unread.begin(), found->second.unread.end(),
                                               [listener](const Queued& queued) { return queued.listener == listener; });
}

bool Handoffs::give_back(WorkerId worker) {
  const auto found = queues_.find(worker);
  if (found == queues_.end() || found->second.given_back >= found->second.read) return false;
  ++found->second.given_back;
  return true;
}

void Handoffs::lose(WorkerId worker) {
  std::erase_if(sent_, [worker](const auto& entry) { return entry.second.worker == worker; });
}

}  // namespace muster::core
