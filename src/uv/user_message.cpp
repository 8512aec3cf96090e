// SPDX-License-Identifier: MIT
#include "uv/user_message.h"

#include <utility>

#include "uv/socket.h"

namespace muster::uv {
namespace {

core::Channel::SendResult send(ChannelIo& channel, FdTable& fds, core::Channel::Outgoing&& outgoing,
                               std::optional<UserHandle>&& handle) {
  if (!handle) return channel.send(std::move(outgoing));

  // A blocking socket would block its receiver too: the flag belongs to the socket, not to the descriptor.
  if (handle->info.kind != core::wire::HandleKind::descriptor) set_non_blocking(handle->fd.get());
  const core::FdToken token = fds.add(std::move(handle->fd));
  outgoing.descriptor = token;
  outgoing.ownership = core::Channel::Descriptor::give;
  const auto result = channel.send(std::move(outgoing));
  if (!core::Channel::queued(result)) fds.close(token);
  return result;
}

}  // namespace

core::Channel::SendResult send_user_message(ChannelIo& channel, FdTable& fds, Serialization serialization,
                                            UserMessage&& message, std::optional<core::SendId> id) {
  std::optional<core::wire::HandleInfo> info;
  if (message.handle) info = message.handle->info;
  core::Channel::Outgoing outgoing{core::wire::encode(serialization, message.data, info)};
  outgoing.id = id;
  return send(channel, fds, std::move(outgoing), std::move(message.handle));
}

core::Channel::SendResult send_user_message(ChannelIo& channel, FdTable& fds, Serialization serialization, UserBytes&& message,
                                            std::optional<core::SendId> id) {
  core::Channel::Outgoing outgoing{core::wire::encode(serialization, message.data)};
  outgoing.id = id;
  return send(channel, fds, std::move(outgoing), std::move(message.handle));
}

}  // namespace muster::uv
