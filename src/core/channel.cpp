// SPDX-License-Identifier: MIT
#include "core/channel.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"

namespace muster::core {
namespace {

// Node's measure of "slow down": twice the buffer of its stream.
constexpr std::size_t backed_up_at = 2 * 65536;
// How often a descriptor that did not arrive is sent, the first time included. Node's number.
constexpr int max_transmissions = 4;
// How many acknowledgements a peer may leave unread. A correct one waits for each.
constexpr int max_unread_acknowledgements = 1024;
// How long a disconnect() waits for a peer that neither reads nor acknowledges, in milliseconds.
constexpr std::uint64_t close_timeout = 5000;
// How often a missing acknowledgement is looked for in its time. A timer for each descriptor would cost more than the
// descriptor.
constexpr unsigned looks = 4;
// For how many events memory is always kept.
constexpr std::size_t kept_events = 16;

}  // namespace

Channel::Channel(Serialization serialization, ChannelLimits limits, wire::UserData user_data)
    : serialization_(serialization),
      limits_(limits),
      user_data_(user_data),
      frames_(serialization, limits.max_message,
              limits.skip_large ? FrameReader::Large::skipped : FrameReader::Large::malformed) {}

Channel::SendResult Channel::send(Outgoing&& message) {
  if (state_ != State::open) return SendResult::closed;
  if (writing_bytes_ + waiting_bytes_ > limits_.max_queue) {
    if (message.required) fail(Errc::ipc_queue_full);
    return SendResult::full;
  }
  if (unacknowledged_) {
    // As in Node, the first that has to wait does not count as backed up.
    const bool first = waiting_.empty();
    waiting_bytes_ += message.frame.size();
    waiting_.push_back(std::move(message));
    return first ? SendResult::sent : SendResult::backed_up;
  }
  transmit(std::move(message));
  return backed_up() ? SendResult::backed_up : SendResult::sent;
}

bool Channel::backed_up() const { return waiting_.size() > 1 || writing_bytes_ >= backed_up_at; }

void Channel::transmit(Outgoing&& message) {
  if (message.descriptor) {
    unacknowledged_ = Unacknowledged{};
    unacknowledged_->number = ++descriptors_sent_;
    if (message.ownership == Descriptor::give) {
      unacknowledged_->given = message.descriptor;
      unacknowledged_->frame = message.frame;
    } else {
      unacknowledged_->lent = message.descriptor;
    }
  }
  Writing writing{.bytes = std::move(message.frame), .id = message.id};
  if (message.descriptor) {
    writing.content = Content::handle;
    writing.descriptors.push_back(*message.descriptor);
  }
  put(std::move(writing));
}

void Channel::offer(std::uint64_t first, std::vector<FdToken> connections, std::string_view key) {
  if (state_ != State::open) return;
  if (writing_bytes_ + waiting_bytes_ > limits_.max_queue) return fail(Errc::ipc_queue_full);
  std::string frame = wire::encode_offer(serialization_, first, connections.size(), key);
  put({.bytes = std::move(frame), .content = Content::offer, .descriptors = std::move(connections)});
}

void Channel::put(Writing&& message) {
  writing_bytes_ += message.bytes.size();
  writing_.push_back(std::move(message));
}

bool Channel::disconnect() {
  if (state_ != State::open) return false;
  state_ = State::flushing;
  close_if_done();
  return true;
}

std::optional<std::uint64_t> Channel::timeout(Timer timer) const {
  if (timer == Timer::close) return state_ == State::flushing ? std::optional(close_timeout) : std::nullopt;
  if (state_ == State::closed || !unacknowledged_ || limits_.acknowledgement_ms == 0) return std::nullopt;
  return std::max<std::uint64_t>(1, limits_.acknowledgement_ms / looks);
}

void Channel::handle_timeout(Timer timer) {
  if (timer == Timer::close) {
    if (state_ == State::flushing) close();
    return;
  }
  if (state_ == State::closed) return;
  const auto owed = unacknowledged_ ? std::optional(unacknowledged_->number) : std::nullopt;
  times_overdue_ = owed && owed == overdue_ ? times_overdue_ + 1 : 0;
  overdue_ = owed;
  if (times_overdue_ == looks) fail(Errc::handle_not_acknowledged);
}

void Channel::handle_bytes(std::string_view bytes, std::span<const FdToken> descriptors) {
  if (state_ == State::closed) {
    for (const FdToken descriptor : descriptors) tell(Released{descriptor});
    return;
  }
  // The system hands out descriptors with the bytes they were sent with, behind bytes that were sent before. So they belong to
  // a frame that begins here, not to one that goes on here: that has had its own, or none.
  auto& mine = frames_.partial() ? brought_ : arrived_;
  MUSTER_ASSERT(mine.empty());
  mine.assign(descriptors.begin(), descriptors.end());
  goes_on_ = frames_.partial();
  frames_.feed(bytes);
  read_frames();
}

void Channel::read_frames() {
  for (;;) {
    const auto next = frames_.next();
    if (std::holds_alternative<FrameReader::NeedMore>(next)) break;
    if (const auto* malformed = std::get_if<FrameReader::Malformed>(&next)) return fail(malformed->code);
    if (const auto* frame = std::get_if<FrameReader::Frame>(&next)) {
      if (limits_.decode_apart > 0 && frame->bytes.size() >= limits_.decode_apart) {
        unread_ = frames_.unread();
        undecoded_ = frames_.keep(*frame);
        return;
      }
      if (!read_frame(decoding().decode(frame->bytes))) return;
    } else {
      skip();
      if (!end_frame()) return;
    }
  }
  // Nobody asked for them: no frame began, or none that announced any.
  if (!brought_.empty() || (!arrived_.empty() && !frames_.partial())) fail(Errc::ipc_unexpected_handle);
}

Reading<wire::Packet> Channel::Decoding::decode(std::string_view frame) const {
  return wire::decode(serialization, frame, user_data, max_values);
}

void Channel::handle_decoded(Reading<wire::Packet> packet) {
  if (state_ == State::closed) return;
  const std::string unread = std::exchange(unread_, {});
  frames_.feed(unread);
  if (read_frame(std::move(packet))) read_frames();
}

bool Channel::read_frame(Reading<wire::Packet>&& packet) {
  if (packet.too_many_values) return fail(Errc::ipc_message_too_large), false;
  if (!dialect_ && packet) dialect_ = packet->dialect;
  // Bun's own messages look like Node's where they are the program's; a peer that began like Node does not turn into Bun.
  if (!packet || (packet->dialect == wire::Dialect::bun && dialect_ != wire::Dialect::bun)) {
    return fail(Errc::ipc_malformed_message), false;
  }
  receive(std::move(*packet));
  return state_ != State::closed && end_frame();
}

bool Channel::end_frame() {
  if (std::exchange(goes_on_, false)) {
    if (!arrived_.empty()) return fail(Errc::ipc_unexpected_handle), false;
    arrived_.swap(brought_);
  }
  if (writing_acknowledgements_ > max_unread_acknowledgements) return fail(Errc::ipc_queue_full), false;
  return true;
}

void Channel::skip() {
  // It had a descriptor if one came, and its sender waits for the answer.
  if (arrived_.empty()) return;
  for (const FdToken descriptor : std::exchange(arrived_, {})) tell(Released{descriptor});
  acknowledge(true);
}

void Channel::receive(wire::Packet&& packet) {
  if (std::holds_alternative<wire::HandleAck>(packet.payload)) return acknowledged(true);
  if (std::holds_alternative<wire::HandleNack>(packet.payload)) return acknowledged(false);

  if (auto* offer = std::get_if<wire::Offer>(&packet.payload)) {
    const auto announced =
        static_cast<std::size_t>(std::count(offer->with_descriptor.begin(), offer->with_descriptor.end(), true));
    std::vector<FdToken> mine;
    if (announced > 0) mine.swap(arrived_);
    if (mine.size() > announced) {
      arrived_.swap(mine);
      return fail(Errc::ipc_unexpected_handle);
    }
    tell(Offered{std::move(*offer), std::move(mine)});
    return;
  }
  const bool announced = packet.handle.has_value();
  std::optional<FdToken> descriptor;
  if (announced) {
    if (arrived_.size() > 1) return fail(Errc::ipc_unexpected_handle);
    if (!arrived_.empty()) descriptor = arrived_.front();
    arrived_.clear();
    acknowledge(descriptor.has_value());
  }
  const bool for_program =
      std::holds_alternative<Value>(packet.payload) || std::holds_alternative<wire::UserBytes>(packet.payload);
  if (announced && !descriptor && for_program) return;  // lost, and the sender knows
  tell(Received{std::move(packet), descriptor});
}

void Channel::acknowledge(bool received) {
  put({.bytes = wire::encode_ack(serialization_, received), .content = Content::acknowledgement});
  ++writing_acknowledgements_;
}

void Channel::acknowledged(bool received) {
  // A peer may acknowledge twice what was sent twice; there is nothing to do for the second, nor for one
  // that comes before the descriptor went out.
  if (!unacknowledged_ || !unacknowledged_->on_its_way) return;
  Unacknowledged& sent = *unacknowledged_;
  if (!received && sent.given && sent.transmissions < max_transmissions) {
    ++sent.transmissions;
    sent.on_its_way = false;
    put({.bytes = sent.frame, .content = Content::handle, .descriptors = {*sent.given}});
    return;
  }
  if (sent.lent && !received) tell(NotReceived{*sent.lent});
  if (sent.given) {
    tell(Released{*sent.given});
    if (!received) tell(Failed{Errc::handle_not_received});
  }
  unacknowledged_.reset();
  send_waiting();
  close_if_done();
}

void Channel::send_waiting() {
  while (!waiting_.empty() && !unacknowledged_) {
    Outgoing next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= next.frame.size();
    transmit(std::move(next));
  }
}

Channel::Output Channel::output(std::span<std::string_view> out) const {
  Output output;
  for (const Writing& next : writing_) {
    const bool carries = !next.descriptors.empty() && next.written == 0;
    // The system attaches descriptors to the first byte of a call, so they have to come first.
    if (output.pieces == out.size() || (carries && output.pieces > 0)) break;
    if (carries) output.descriptors = next.descriptors;
    out[output.pieces++] = std::string_view(next.bytes).substr(next.written);
  }
  return output;
}

void Channel::handle_written(std::size_t bytes) {
  MUSTER_ASSERT(bytes <= writing_bytes_);
  writing_bytes_ -= bytes;
  while (bytes > 0) {
    Writing& first = writing_.front();
    const std::size_t left = first.bytes.size() - first.written;
    if (bytes < left) {
      first.written += bytes;
      return;
    }
    bytes -= left;
    if (first.id) tell(Sent{*first.id, {}});
    if (first.content == Content::acknowledgement) --writing_acknowledgements_;
    if (first.content == Content::handle && unacknowledged_) unacknowledged_->on_its_way = true;
    writing_.pop_front();
  }
  close_if_done();
}

void Channel::handle_descriptor_gone(FdToken descriptor) {
  MUSTER_ASSERT(!writing_.empty() && writing_.front().written == 0);
  Writing& first = writing_.front();
  const auto gone = std::find(first.descriptors.begin(), first.descriptors.end(), descriptor);
  MUSTER_ASSERT(gone != first.descriptors.end());
  if (first.content == Content::offer) {
    wire::withdraw(serialization_, first.bytes, static_cast<std::size_t>(gone - first.descriptors.begin()));
    first.descriptors.erase(gone);
    return;
  }
  writing_bytes_ -= first.bytes.size();
  if (first.id) tell(Sent{*first.id, Errc::ipc_channel_closed});
  writing_.pop_front();
  if (unacknowledged_ && unacknowledged_->given) tell(Released{*unacknowledged_->given});
  unacknowledged_.reset();
  send_waiting();
  close_if_done();
}

void Channel::handle_end() {
  if (state_ != State::closed && frames_.partial()) return fail(Errc::ipc_message_truncated);
  close();
}

void Channel::handle_failure(std::error_code code) { fail(code); }

Error Channel::Failed::error() const {
  if (code.category() != std::generic_category()) return Error{code, code.message()};
  const std::error_code failed = Errc::ipc_channel_failed;
  return Error{failed, failed.message() + ": " + code.message()};
}

void Channel::fail(std::error_code code) {
  if (state_ == State::closed) return;
  tell(Failed{code});
  close();
}

void Channel::close_if_done() {
  if (state_ == State::flushing && writing_.empty() && waiting_.empty() && !unacknowledged_) close();
}

void Channel::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  for (const Writing& lost : writing_) {
    if (lost.id) tell(Sent{*lost.id, Errc::ipc_channel_closed});
  }
  for (const Outgoing& lost : waiting_) {
    if (lost.id) tell(Sent{*lost.id, Errc::ipc_channel_closed});
    if (lost.descriptor && lost.ownership == Descriptor::give) tell(Released{*lost.descriptor});
  }
  if (unacknowledged_ && unacknowledged_->given) tell(Released{*unacknowledged_->given});
  for (auto* unread : {&arrived_, &brought_}) {
    for (const FdToken descriptor : std::exchange(*unread, {})) tell(Released{descriptor});
  }
  undecoded_.reset();
  unread_.clear();
  writing_.clear();
  writing_bytes_ = 0;
  writing_acknowledgements_ = 0;
  waiting_.clear();
  waiting_bytes_ = 0;
  unacknowledged_.reset();
  tell(Closed{});
}

std::optional<Channel::Event> Channel::poll_event() {
  if (polled_ < events_.size()) return std::move(events_[polled_++]);
  if (const std::size_t told = std::exchange(polled_, 0); told > 0) {
    events_.clear();
    // The memory of a burst is for its next part, and is let go when that is small.
    if (events_.capacity() > kept_events && told < events_.capacity() / 8) events_.shrink_to_fit();
  }
  return std::nullopt;
}

}  // namespace muster::core
