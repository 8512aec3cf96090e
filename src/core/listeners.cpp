// SPDX-License-Identifier: MIT
#include "core/listeners.h"

#include <algorithm>
#include <utility>

namespace muster::core {

bool Listener::has(WorkerId worker) const {
  return std::visit([worker](const auto& s) { return s.has(worker); }, scheduler);
}

bool Listener::has_workers() const {
  return std::visit([](const auto& s) { return s.has_workers(); }, scheduler);
}

std::string Listeners::key_of(const wire::ListenQuery& query) {
  const auto number = [](std::optional<int> n, const char* otherwise) {
    return n ? std::to_string(*n) : std::string(otherwise);
  };
  std::string key = query.address.value_or("null");
  key += ":" + number(query.port, "null") + ":";
  key += query.address_type ? to_string(*query.address_type) : "null";
  key += ":" + number(query.fd, "undefined");
  // Only a worker that asks for any port can mean different sockets by the same words.
  if (query.port == 0) key += ":" + std::to_string(query.index);
  return key;
}

Listener* Listeners::find(ListenerId id) {
  const auto found = listeners_.find(id);
  return found == listeners_.end() ? nullptr : &found->second;
}

Listener* Listeners::find(const std::string& key) {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : find(found->second);
}

Listener& Listeners::add(std::string key, std::variant<Dealer, SharedHandle, KernelHandle> scheduler) {
  const ListenerId id{next_id_++};
  by_key_[key] = id;
  return listeners_.emplace(id, Listener{id, std::move(key), std::move(scheduler)}).first->second;
}

void Listeners::retire(ListenerId id) {
  const Listener* listener = find(id);
  if (!listener) return;
  if (const auto found = by_key_.find(listener->key); found != by_key_.end() && found->second == id) by_key_.erase(found);
}

void Listeners::erase(ListenerId id) {
  retire(id);
  listeners_.erase(id);
}

bool Listeners::calm() const {
  return std::all_of(listeners_.begin(), listeners_.end(), [](const auto& entry) {
    const auto* dealer = std::get_if<Dealer>(&entry.second.scheduler);
    return !dealer || dealer->calm();
  });
}

std::size_t Listeners::count_of(WorkerId worker) const {
  return static_cast<std::size_t>(
      std::count_if(listeners_.begin(), listeners_.end(), [worker](const auto& entry) { return entry.second.has(worker); }));
}

std::vector<ListenerId> Listeners::ids() const {
  std::vector<ListenerId> ids;
  ids.reserve(listeners_.size());
  for (const auto& [id, listener] : listeners_) ids.push_back(id);
  return ids;
}

}  // namespace muster::core
