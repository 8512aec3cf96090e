// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <muster/function.h>
#include "core/socket_list.h"

namespace muster::detail {

// Performs what a core::SocketList decides: asks the other end of a channel about connections that live there, and answers for
// those that live here. A callback may call in again, and may release this.
class RemoteSockets : public std::enable_shared_from_this<RemoteSockets> {
 public:
  using Send = Function<void(const core::wire::SocketListMessage&)>;
  // Nothing: the channel closed before the other end answered.
  using Counted = Function<void(std::optional<std::size_t>)>;

  explicit RemoteSockets(Send send) : send_(std::move(send)) {}

  void count(const std::string& key, Counted done);
  void when_all_closed(const std::string& key, Function<void()> done);
  void handle_arrived(const std::string& key);
  void handle_closed(const std::string& key);
  void handle_message(const core::wire::SocketListMessage& message);
  void handle_channel_closed();

 private:
  void perform();
  void perform(const core::SocketList::Send& send);
  void perform(const core::SocketList::Counted& counted);
  void perform(const core::SocketList::AllClosed& closed);

  Send send_;
  core::SocketList list_;
  std::map<core::SocketList::QuestionId, Counted> counting_;
  std::map<core::SocketList::QuestionId, Function<void()>> closing_;
};

}  // namespace muster::detail
