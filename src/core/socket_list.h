// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <muster/function.h>
#include "core/wire.h"

namespace muster::core {

// One channel's account of connections that live in another process than the server that accepted them: those that were sent
// through it, and those that came through it. So a server can count, and wait for, all of its connections. Node:
// SocketListSend and SocketListReceive.
//
// What a callback does may call in again.
class SocketList {
 public:
  using Send = Function<void(wire::SocketListMessage)>;
  // Nothing: the channel closed before the other end answered.
  using Counted = Function<void(std::optional<std::size_t>)>;

  explicit SocketList(Send send) : send_(std::move(send)) {}

  // How many connections of the server `key` are open at the other end.
  void count(const std::string& key, Counted done);
  // Runs `done` when none is, which the end of the channel means too.
  void when_all_closed(const std::string& key, Function<void()> done);

  // A connection of the other end's server is here, and is here no more.
  void handle_arrived(const std::string& key);
  void handle_closed(const std::string& key);

  void handle_message(const wire::SocketListMessage& message);
  void handle_channel_closed();

 private:
  struct Here {
    std::size_t open = 0;
    bool notify = false;  // when the last one closes
  };

  Send send_;
  bool connected_ = true;
  std::map<std::string, Here> here_;
  std::multimap<std::string, Counted> counting_;
  std::multimap<std::string, Function<void()>> closing_;
  std::set<std::string> ask_again_;  // of closing_: asked once more when the answer comes
};

}  // namespace muster::core
