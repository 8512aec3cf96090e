// SPDX-License-Identifier: MIT
#include "uv/child_driver.h"

#include <utility>

#include "uv/socket.h"

namespace muster::uv {
ChildDriver::ChildDriver(Loop& loop, core::Child& child, Sink& sink, OwnedFd socket, Serialization serialization)
    : loop_(loop),
      child_(child),
      sink_(sink),
      serialization_(serialization),
      channel_(loop, fds_, std::move(socket), core::Channel(serialization),
               [this](core::Channel::Event& event) { handle_channel(event); }) {}

void ChildDriver::perform() {
  while (!closed_) {
    auto effect = child_.poll_effect();
    if (!effect) break;
    std::visit([this](auto& e) { perform(std::move(e)); }, *effect);
  }
  if (board_) board_->set_open(static_cast<std::uint32_t>(child_.connections()));
}

void ChildDriver::perform(core::SendToPrimary send) {
  channel_.send(core::Channel::required(core::wire::encode(serialization_, send.message, {}, channel_.dialect())));
}

void ChildDriver::perform(core::AnswerOffers answer) {
  channel_.send(core::Channel::required(core::wire::encode(serialization_, answer.reply)));
}

void ChildDriver::perform(core::MapBoard map) {
  board_ = kernel::LoadBoard::map(fds_.take(map.descriptor));
  if (board_) child_.handle_board();
}

void ChildDriver::handle_offered(const core::Channel::Offered& offered) {
  std::size_t arrived = 0;
  std::uint64_t number = offered.offer.first;
  for (const bool with_descriptor : offered.offer.with_descriptor) {
    // The rest is dealt again.
    if (closed_) return;
    if (!with_descriptor) {
      child_.handle_withdrawn(number);
    } else if (arrived == offered.descriptors.size()) {
      child_.handle_offered(offered.offer.key, number, {}, false);
    } else {
      // One after the other: what is behind one that takes long stays to be taken back.
      const bool claimed = board_ && board_->claim(number);
      child_.handle_offered(offered.offer.key, number, offered.descriptors[arrived++], claimed);
      perform();
    }
    ++number;
  }
  answer_later();
}

void ChildDriver::perform(core::DisconnectPrimary) { disconnect(); }

bool ChildDriver::disconnect() {
  // What is not answered for is dealt again when the channel is gone.
  answer_offers();
  return channel_.disconnect();
}

void ChildDriver::answer_offers() {
  if (closed_) return;
  loop_.forget(static_cast<BeforeWait&>(*this));
  child_.answer_offers();
  perform();
}

void ChildDriver::perform(core::CloseDescriptor close) { fds_.close(close.descriptor); }

void ChildDriver::perform(core::Exit exit) { sink_.handle_exit(exit.code); }

void ChildDriver::perform(core::ChildEvent event) { sink_.handle_event(std::move(event)); }

void ChildDriver::handle_channel(core::Channel::Event& event) {
  if (closed_) return;
  if (auto* received = std::get_if<core::Channel::Received>(&event)) {
    if (auto* message = std::get_if<core::wire::ClusterMessage>(&received->packet.payload)) {
      child_.handle_message(std::move(*message), received->descriptor);
      perform();
    } else if (auto* data = std::get_if<Value>(&received->packet.payload)) {
      UserMessage user{std::move(*data)};
      if (received->descriptor) user.handle = UserHandle{*received->packet.handle, fds_.take(*received->descriptor)};
      sink_.handle_message(std::move(user));
    } else {
      if (received->descriptor) fds_.close(*received->descriptor);
      if (auto* list = std::get_if<core::wire::SocketListMessage>(&received->packet.payload)) {
        sink_.handle_socket_list(std::move(*list));
      }
    }
  } else if (const auto* offered = std::get_if<core::Channel::Offered>(&event)) {
    handle_offered(*offered);
  } else if (const auto* sent = std::get_if<core::Channel::Sent>(&event)) {
    sink_.handle_sent(sent->id, sent->error);
  } else if (const auto* failed = std::get_if<core::Channel::Failed>(&event)) {
    sink_.handle_error(failed->error());
  } else if (std::holds_alternative<core::Channel::Closed>(event)) {
    child_.handle_channel_closed();
    perform();
  }
}

core::Channel::SendResult ChildDriver::send(UserMessage&& message, std::optional<core::SendId> id) {
  // A program's message about a connection does not overtake the answer for it.
  answer_offers();
  return send_user_message(channel_, fds_, serialization_, std::move(message), id);
}

void ChildDriver::send(const core::wire::SocketListMessage& message) {
  channel_.send(core::Channel::required(core::wire::encode(serialization_, message)));
}

void ChildDriver::ref_channel(bool ref) {
  if (ref) {
    channel_.ref();
  } else {
    channel_.unref();
  }
}

}  // namespace muster::uv
