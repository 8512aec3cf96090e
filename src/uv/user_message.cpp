#include "uv/user_message.h"

#include <utility>

#include "uv/socket.h"

namespace muster::uv {

core::Channel::SendResult send_user_message(ChannelIo& channel, FdTable& fds, Serialization serialization,
                                            UserMessage&& message, std::optional<core::SendId> id) {
  std::optional<core::wire::HandleInfo> info;
  if (message.handle) info = message.handle->info;
  core::Channel::Outgoing outgoing{core::wire::encode(serialization, message.data, info)};
  outgoing.id = id;
  if (!message.handle) return channel.send(std::move(outgoing));

  // A blocking socket would block its receiver too: the flag belongs to the socket, not to the descriptor.
  if (info->kind != core::wire::HandleKind::descriptor) set_non_blocking(message.handle->fd.get());
  const core::FdToken token = fds.add(std::move(message.handle->fd));
  outgoing.descriptor = token;
  outgoing.ownership = core::Channel::Descriptor::give;
  const auto result = channel.send(std::move(outgoing));
  if (!core::Channel::queued(result)) fds.close(token);
  return result;
}

}  // namespace muster::uv
