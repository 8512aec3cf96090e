// SPDX-License-Identifier: MIT
#include "core/socket_list.h"

#include <utility>

namespace muster::core {

using Kind = wire::SocketListMessage::Kind;

SocketList::QuestionId SocketList::count(const std::string& key) {
  const QuestionId question{next_question_++};
  if (connected_) {
    counting_.emplace(key, question);
    effects_.push_back(Send{{Kind::get_count, key}});
  } else {
    effects_.push_back(Counted{question, std::nullopt});
  }
  return question;
}

SocketList::QuestionId SocketList::when_all_closed(const std::string& key) {
  const QuestionId question{next_question_++};
  if (!connected_) {
    effects_.push_back(AllClosed{question});
    return question;
  }
  closing_.emplace(key, question);
  if (closing_.count(key) == 1) {
    effects_.push_back(Send{{Kind::notify_close, key}});
  } else {
    // The answer to the earlier question says nothing of what was sent since.
    ask_again_.insert(key);
  }
  return question;
}

void SocketList::handle_arrived(const std::string& key) { ++here_[key].open; }

void SocketList::handle_closed(const std::string& key) {
  const auto found = here_.find(key);
  if (found == here_.end() || --found->second.open > 0) return;
  const bool notify = found->second.notify;
  here_.erase(found);
  if (notify && connected_) effects_.push_back(Send{{Kind::all_closed, key}});
}

void SocketList::handle_message(const wire::SocketListMessage& message) {
  const std::string& key = message.key;
  const auto here = here_.find(key);
  switch (message.kind) {
    case Kind::get_count:
      // Node leaves a question about what it never had unanswered; the other end would wait.
      effects_.push_back(Send{{Kind::count, key, here == here_.end() ? 0 : here->second.open}});
      break;
    case Kind::notify_close:
      if (here == here_.end()) {
        effects_.push_back(Send{{Kind::all_closed, key}});
      } else {
        here->second.notify = true;
      }
      break;
    case Kind::count:
      // Answers come in the order of the questions.
      if (const auto oldest = counting_.find(key); oldest != counting_.end()) {
        effects_.push_back(Counted{oldest->second, message.count});
        counting_.erase(oldest);
      }
      break;
    case Kind::all_closed:
      if (ask_again_.erase(key) == 1) {
        effects_.push_back(Send{{Kind::notify_close, key}});
        break;
      }
      const auto [begin, end] = closing_.equal_range(key);
      for (auto asked = begin; asked != end; ++asked) effects_.push_back(AllClosed{asked->second});
      closing_.erase(begin, end);
      break;
  }
}

void SocketList::handle_channel_closed() {
  connected_ = false;
  for (const auto& [key, question] : std::exchange(counting_, {})) effects_.push_back(Counted{question, std::nullopt});
  for (const auto& [key, question] : std::exchange(closing_, {})) effects_.push_back(AllClosed{question});
}

std::optional<SocketList::Effect> SocketList::poll_effect() {
  if (effects_.empty()) return std::nullopt;
  std::optional<Effect> effect(std::move(effects_.front()));
  effects_.pop_front();
  return effect;
}

}  // namespace muster::core
