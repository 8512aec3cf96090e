// SPDX-License-Identifier: MIT
#include "api/messages.h"

#include <sys/stat.h>

#include <utility>

#include "api/access.h"
#include "api/handle_origin.h"
#include "uv/socket.h"

namespace muster::detail {
namespace {

core::wire::HandleKind kind_of(HandleType type) {
  switch (type) {
    case HandleType::server: return core::wire::HandleKind::net_server;
    case HandleType::socket: return core::wire::HandleKind::net_socket;
    case HandleType::udp_socket: return core::wire::HandleKind::dgram_socket;
    case HandleType::descriptor: return core::wire::HandleKind::descriptor;
    case HandleType::none:
    case HandleType::native: break;
  }
  return core::wire::HandleKind::net_native;
}

HandleType type_of(core::wire::HandleKind kind) {
  switch (kind) {
    case core::wire::HandleKind::net_server: return HandleType::server;
    case core::wire::HandleKind::net_socket: return HandleType::socket;
    case core::wire::HandleKind::net_native: return HandleType::native;
    case core::wire::HandleKind::dgram_native:
    case core::wire::HandleKind::dgram_socket: return HandleType::udp_socket;
    case core::wire::HandleKind::descriptor: return HandleType::descriptor;
  }
  return HandleType::native;
}

// The receiver makes of it what its type says.
void check_kind(const Handle& handle) {
  const bool is_socket =
      handle.type() == HandleType::server || handle.type() == HandleType::socket || handle.type() == HandleType::udp_socket;
  if (!handle || !is_socket) return;
  struct stat status {};
  if (fstat(handle.descriptor(), &status) == 0 && S_ISSOCK(status.st_mode)) return;
  throw Exception(Errc::invalid_handle_type,
                  "The handle's descriptor is no socket: HandleType::descriptor is for what is none");
}

}  // namespace

uv::UserMessage to_wire(Value&& data, Handle&& handle, bool muster_peer) {
  if (data.is_undefined()) throw Exception(Errc::missing_args, "The \"message\" argument must be specified");
  if (handle.type() == HandleType::descriptor && !muster_peer) {
    throw Exception(Errc::invalid_handle_type,
                    "A descriptor that is no socket can be sent to another muster process only, and once that is online");
  }
  check_kind(handle);
  uv::UserMessage message{std::move(data)};
  if (handle) {
    core::wire::HandleInfo info{kind_of(handle.type())};
    if (handle.type() == HandleType::udp_socket) {
      const auto name = uv::socket_name(handle.descriptor());
      info.dgram_type = to_string(name && name->ipv6 ? AddressType::udp6 : AddressType::udp4);
    }
    if (const auto& origin = Access::origin(handle)) info.key = origin->key();
    message.handle = uv::UserHandle{info, Access::take(std::move(handle))};
  }
  return message;
}

Message from_wire(uv::UserMessage&& message, const std::shared_ptr<RemoteSockets>& sockets) {
  Message result{std::move(message.data), {}};
  if (!message.handle) return result;
  const core::wire::HandleInfo& info = message.handle->info;
  result.handle = Handle(type_of(info.kind), message.handle->fd.release());
  Access::set_received(result.handle);
  if (info.kind == core::wire::HandleKind::net_socket && !info.key.empty()) {
    Access::set_origin(result.handle, std::make_shared<ReceivedConnection>(sockets, info.key));
  }
  return result;
}

bool is_peer_error(std::error_code code) {
  return code.category() == make_error_code(Errc::ipc_malformed_message).category() &&
         (code.value() >= static_cast<int>(Errc::ipc_malformed_message) || code == Errc::handle_not_received);
}

std::optional<core::SendId> SendCallbacks::add(SendCallback& done) {
  if (!done) return std::nullopt;
  const core::SendId id{next_++};
  pending_.emplace(id, std::move(done));
  return id;
}

void SendCallbacks::finish(uv::Loop& loop, core::SendId id, std::error_code error) {
  const auto found = pending_.find(id);
  if (found == pending_.end()) return;
  SendCallback done = std::move(found->second);
  pending_.erase(found);
  loop.emit([done = std::move(done), error]() mutable { done(error); });
}

}  // namespace muster::detail
