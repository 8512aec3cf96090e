// SPDX-License-Identifier: MIT
#include "uv/kept_ports.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>

#include "core/listeners.h"
#include "uv/socket.h"

namespace muster::uv {
namespace {

bool datagrams(const core::wire::ListenQuery& query) {
  return query.address_type == AddressType::udp4 || query.address_type == AddressType::udp6;
}

int type_of(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  return type;
}

std::string path_of(int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sun_family != AF_UNIX) return {};
  return {address.sun_path, strnlen(address.sun_path, size - offsetof(sockaddr_un, sun_path))};
}

}  // namespace

// Whether a socket that is bound already is bound to what the query asks for.
bool KeptPorts::serves(const Kept& port, const core::wire::ListenQuery& query, const std::string& numeric) {
  if (query.fd || port.type != (datagrams(query) ? SOCK_DGRAM : SOCK_STREAM)) return false;
  if (query.address_type == AddressType::pipe) return query.address && port.path == *query.address;
  const auto& name = port.bound_to;
  if (!name || query.port.value_or(0) == 0 || name->port != *query.port) return false;
  // Without an address it is every one, by whichever family.
  if (!query.address) return name->address == "::" || name->address == "0.0.0.0";
  return numeric == name->address;
}

void KeptPorts::close(Kept& port) {
  port.socket.reset();
  port.file.remove();
}

void KeptPorts::add(Port port) {
  if (ports_.size() >= limit_) {
    const auto unused = std::find_if(ports_.begin(), ports_.end(), [](const Kept& p) { return p.users.empty() && !p.adopted; });
    if (unused != ports_.end()) {
      close(*unused);
      ports_.erase(unused);
    }
  }
  Kept kept{std::move(port)};
  kept.type = type_of(kept.socket.get());
  kept.path = path_of(kept.socket.get());
  kept.bound_to = socket_name(kept.socket.get());
  ports_.push_back(std::move(kept));
}

std::optional<Bound> KeptPorts::find(const core::wire::ListenQuery& query, const std::string& numeric,
                                     const std::optional<core::User>& user, core::ListenerId listener) {
  const std::string key = core::Listeners::key_of(query);
  const auto open_to = [&user](const Port& port) { return port.adopted || !user || port.user == user; };
  auto found = std::find_if(ports_.begin(), ports_.end(), [&](const Port& port) { return port.name == key && open_to(port); });
  if (found == ports_.end()) {
    found = std::find_if(ports_.begin(), ports_.end(),
                         [&](const Kept& port) { return open_to(port) && serves(port, query, numeric); });
  }
  if (found == ports_.end()) return std::nullopt;
  OwnedFd copy = duplicate(found->socket.get());
  if (!copy) return Bound{{}, errno};
  found->users.insert(listener);
  return Bound{std::move(copy)};
}

bool KeptPorts::contains(int fd) const {
  return std::any_of(ports_.begin(), ports_.end(), [fd](const Port& port) { return port.socket.get() == fd; });
}

void KeptPorts::leave(core::ListenerId listener) {
  for (Port& port : ports_) port.users.erase(listener);
}

void KeptPorts::release_unused() {
  std::erase_if(ports_, [](Kept& port) {
    if (!port.users.empty()) return false;
    close(port);
    return true;
  });
}

std::vector<KeptPorts::Port> KeptPorts::copies() const {
  std::vector<Port> copies;
  copies.reserve(ports_.size());
  for (const Port& port : ports_) {
    copies.push_back({port.name, require_duplicate(port.socket.get()), port.file});
  }
  return copies;
}

void KeptPorts::leave_files() {
  for (Port& port : ports_) port.file.leave();
}

void KeptPorts::clear() {
  for (Kept& port : ports_) close(port);
  ports_.clear();
}

}  // namespace muster::uv
