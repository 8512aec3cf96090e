// SPDX-License-Identifier: MIT
#include "core/ports.h"

#include <algorithm>
#include <utility>

#include "core/listeners.h"

namespace muster::core {
namespace {

// Whether a socket that is bound already is bound to what the query asks for.
bool serves(const BoundSocket& bound, const wire::ListenQuery& query, const std::string& numeric) {
  if (query.fd || bound.datagram != wire::is_datagram(query)) return false;
  if (query.address_type == AddressType::pipe) return query.address && bound.path == *query.address;
  const auto& name = bound.name;
  if (!name || query.port.value_or(0) == 0 || name->port != *query.port) return false;
  // Without an address it is every one, by whichever family.
  if (!query.address) return name->address == "::" || name->address == "0.0.0.0";
  return numeric == name->address;
}

}  // namespace

std::optional<FdToken> Ports::add(Port port) {
  std::optional<FdToken> closed;
  if (limit_ && ports_.size() >= *limit_) {
    const auto unused =
        std::find_if(ports_.begin(), ports_.end(), [](const Port& p) { return p.users.empty() && !p.inherited; });
    if (unused != ports_.end()) {
      closed = unused->bound.socket;
      ports_.erase(unused);
    }
  }
  ports_.push_back(std::move(port));
  return closed;
}

std::optional<FdToken> Ports::use(const wire::ListenQuery& query, const std::string& numeric, const std::optional<User>& user,
                                  ListenerId listener) {
  const std::string key = Listeners::key_of(query);
  const auto open_to = [&user](const Port& port) { return port.for_all || !user || port.user == user; };
  auto found = std::find_if(ports_.begin(), ports_.end(), [&](const Port& port) { return port.name == key && open_to(port); });
  if (found == ports_.end()) {
    found = std::find_if(ports_.begin(), ports_.end(),
                         [&](const Port& port) { return open_to(port) && serves(port.bound, query, numeric); });
  }
  if (found == ports_.end()) return std::nullopt;
  found->users.insert(listener);
  return found->bound.socket;
}

void Ports::leave(ListenerId listener) {
  for (Port& port : ports_) port.users.erase(listener);
}

std::vector<FdToken> Ports::release_unused() {
  std::vector<FdToken> closed;
  std::erase_if(ports_, [&closed](const Port& port) {
    if (!port.users.empty()) return false;
    closed.push_back(port.bound.socket);
    return true;
  });
  return closed;
}

std::vector<FdToken> Ports::clear() {
  limit_.reset();
  std::vector<FdToken> closed;
  for (const Port& port : std::exchange(ports_, {})) closed.push_back(port.bound.socket);
  return closed;
}

}  // namespace muster::core
