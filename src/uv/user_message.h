// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include <muster/value.h>
#include "core/channel.h"
#include "core/wire.h"
#include "os/fd.h"
#include "uv/channel_io.h"
#include "uv/fd_table.h"

namespace muster::uv {

// A descriptor that goes with a program's message.
struct UserHandle {
  core::wire::HandleInfo info;
  OwnedFd fd;
};

// A program's message, either way.
struct UserMessage {
  Value data;
  std::optional<UserHandle> handle = {};
};

// The same in bytes, for a program that reads and writes them itself.
struct UserBytes {
  core::wire::UserBytes data;
  std::optional<UserHandle> handle = {};
};

// Sends a program's message, or throws what core::wire::encode() does.
core::Channel::SendResult send_user_message(ChannelIo& channel, FdTable& fds, Serialization serialization,
                                            UserMessage&& message, std::optional<core::SendId> id);
core::Channel::SendResult send_user_message(ChannelIo& channel, FdTable& fds, Serialization serialization, UserBytes&& message,
                                            std::optional<core::SendId> id);

}  // namespace muster::uv
