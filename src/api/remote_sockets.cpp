// SPDX-License-Identifier: MIT
#include "api/remote_sockets.h"

#include <utility>
#include <variant>

namespace muster::detail {

void RemoteSockets::count(const std::string& key, Counted done) {
  counting_.emplace(list_.count(key), std::move(done));
  perform();
}

void RemoteSockets::when_all_closed(const std::string& key, Function<void()> done) {
  closing_.emplace(list_.when_all_closed(key), std::move(done));
  perform();
}

void RemoteSockets::handle_arrived(const std::string& key) { list_.handle_arrived(key); }

void RemoteSockets::handle_closed(const std::string& key) {
  list_.handle_closed(key);
  perform();
}

void RemoteSockets::handle_message(const core::wire::SocketListMessage& message) {
  list_.handle_message(message);
  perform();
}

void RemoteSockets::handle_channel_closed() {
  list_.handle_channel_closed();
  perform();
}

void RemoteSockets::perform() {
  const auto keep = shared_from_this();
  while (const auto effect = list_.poll_effect()) std::visit([this](const auto& e) { perform(e); }, *effect);
}

void RemoteSockets::perform(const core::SocketList::Send& send) { send_(send.message); }

void RemoteSockets::perform(const core::SocketList::Counted& counted) {
  if (auto done = counting_.extract(counted.question)) done.mapped()(counted.count);
}

void RemoteSockets::perform(const core::SocketList::AllClosed& closed) {
  if (auto done = closing_.extract(closed.question)) done.mapped()();
}

}  // namespace muster::detail
