// SPDX-License-Identifier: MIT
#include "core/socket_list.h"

#include <utility>
#include <vector>

namespace muster::core {
namespace {

using Kind = wire::SocketListMessage::Kind;

// The callbacks of one server, taken out before any of them runs.
std::vector<Function<void()>> take(std::multimap<std::string, Function<void()>>& waiting, const std::string& key) {
  std::vector<Function<void()>> taken;
  const auto [begin, end] = waiting.equal_range(key);
  for (auto entry = begin; entry != end; ++entry) taken.push_back(std::move(entry->second));
  waiting.erase(begin, end);
  return taken;
}

}  // namespace

void SocketList::count(const std::string& key, Counted done) {
  if (!connected_) return done(std::nullopt);
  counting_.emplace(key, std::move(done));
  send_({Kind::get_count, key});
}

void SocketList::when_all_closed(const std::string& key, Function<void()> done) {
  if (!connected_) return done();
  closing_.emplace(key, std::move(done));
  if (closing_.count(key) == 1) {
    send_({Kind::notify_close, key});
  } else {
    // The answer to the earlier question says nothing of what was sent since.
    ask_again_.insert(key);
  }
}

void SocketList::handle_arrived(const std::string& key) { ++here_[key].open; }

void SocketList::handle_closed(const std::string& key) {
  const auto found = here_.find(key);
  if (found == here_.end() || --found->second.open > 0) return;
  const bool notify = found->second.notify;
  here_.erase(found);
  if (notify && connected_) send_({Kind::all_closed, key});
}

void SocketList::handle_message(const wire::SocketListMessage& message) {
  const std::string& key = message.key;
  const auto here = here_.find(key);
  switch (message.kind) {
    case Kind::get_count:
      // Node leaves a question about what it never had unanswered; the other end would wait.
      send_({Kind::count, key, here == here_.end() ? 0 : here->second.open});
      break;
    case Kind::notify_close:
      if (here == here_.end()) {
        send_({Kind::all_closed, key});
      } else {
        here->second.notify = true;
      }
      break;
    case Kind::count:
      // Answers come in the order of the questions.
      if (const auto oldest = counting_.find(key); oldest != counting_.end()) {
        Counted done = std::move(oldest->second);
        counting_.erase(oldest);
        done(message.count);
      }
      break;
    case Kind::all_closed:
      if (ask_again_.erase(key) == 1) return send_({Kind::notify_close, key});
      for (Function<void()>& done : take(closing_, key)) done();
      break;
  }
}

void SocketList::handle_channel_closed() {
  connected_ = false;
  for (auto& [key, done] : std::exchange(counting_, {})) done(std::nullopt);
  for (auto& [key, done] : std::exchange(closing_, {})) done();
}

}  // namespace muster::core
