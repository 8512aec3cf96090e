// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "core/wire.h"

namespace muster::core {

// One channel's account of connections that live in another process than the server that accepted them: those that were sent
// through it, and those that came through it. So a server can count, and wait for, all of its connections. Node:
// SocketListSend and SocketListReceive.
class SocketList {
 public:
  enum class QuestionId : std::uint64_t {};

  struct Send {
    wire::SocketListMessage message;
  };
  struct Counted {
    QuestionId question;
    std::optional<std::size_t> count;  // nothing: the channel closed before the other end answered
  };
  struct AllClosed {
    QuestionId question;
  };
  using Effect = std::variant<Send, Counted, AllClosed>;

  // How many connections of the server `key` are open at the other end. Counted follows.
  QuestionId count(const std::string& key);
  // AllClosed follows when none is, which the end of the channel means too.
  QuestionId when_all_closed(const std::string& key);

  // A connection of the other end's server is here, and is here no more.
  void handle_arrived(const std::string& key);
  void handle_closed(const std::string& key);

  void handle_message(const wire::SocketListMessage& message);
  void handle_channel_closed();

  std::optional<Effect> poll_effect();

 private:
  struct Here {
    std::size_t open = 0;
    bool notify = false;  // when the last one closes
  };

  bool connected_ = true;
  std::uint64_t next_question_ = 1;
  std::map<std::string, Here> here_;
  std::multimap<std::string, QuestionId> counting_;
  std::multimap<std::string, QuestionId> closing_;
  std::set<std::string> ask_again_;  // of closing_: asked once more when the answer comes
  std::deque<Effect> effects_;
};

}  // namespace muster::core
