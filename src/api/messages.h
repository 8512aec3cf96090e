// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <system_error>

#include <muster/message.h>
#include "api/loop_state.h"
#include "core/channel.h"
#include "api/remote_sockets.h"
#include "uv/user_message.h"

// What both ends of a channel do alike with a program's messages.
namespace muster::detail {

// Throws Exception for what cannot be sent at all, or not to this peer.
uv::UserMessage to_wire(Value&& data, Handle&& handle, bool muster_peer);
// `sockets` keeps account of the connections that come through the channel.
Message from_wire(uv::UserMessage&& message, const std::shared_ptr<RemoteSockets>& sockets);

// Whether this is the peer's doing: it broke the protocol, or does not take what it is sent.
bool is_peer_error(std::error_code code);

// The callbacks of sends that are not over.
class SendCallbacks {
 public:
  // The id to send under; none without a callback.
  std::optional<core::SendId> add(SendCallback& done);
  void finish(uv::Loop& loop, core::SendId id, std::error_code error);
  // Of a send that threw.
  void forget(core::SendId id) { pending_.erase(id); }

 private:
  std::map<core::SendId, SendCallback> pending_;
  std::uint64_t next_ = 0;
};

// Sends through `send`, a driver's, and turns its answer into Node's: a bool, and an error that reaches
// `done` or else `fail` later.
template <class Send, class Fail>
bool send_message(LoopState& loop, SendCallbacks& callbacks, Send&& send, SendCallback&& done, Fail&& fail) {
  const bool has_callback = static_cast<bool>(done);
  const auto id = callbacks.add(done);
  core::Channel::SendResult result{};
  try {
    result = send(id);
  } catch (...) {
    if (id) callbacks.forget(*id);
    throw;
  }
  if (result == core::Channel::SendResult::closed || result == core::Channel::SendResult::full) {
    const std::error_code code = result == core::Channel::SendResult::full ? Errc::ipc_queue_full : Errc::ipc_channel_closed;
    if (has_callback) {
      callbacks.finish(loop.loop, *id, code);
    } else {
      fail(Error{code, code.message()});
    }
  }
  return result == core::Channel::SendResult::sent;
}

}  // namespace muster::detail
