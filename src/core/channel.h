// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <muster/error.h>
#include <muster/settings.h>
#include "core/channel_limits.h"
#include "core/frame.h"
#include "core/ids.h"
#include "core/wire.h"

namespace muster::core {

// One end of the channel between a primary and a worker: bytes and descriptors in and out, messages
// up and down.
//
// At most one handle is on its way in each direction: what is sent after it waits for the peer's
// acknowledgement, so messages keep their order and the peer can tell which message a descriptor
// belongs to. Offers, between muster's own ends, overtake what waits. What was accepted by send() is written even when
// disconnect() follows; what cannot be written any more is reported as Sent with an error.
class Channel {
 public:
  // A message for the owner. `descriptor` is the owner's from here on. It is absent although
  // `packet.handle` is set when the descriptor was lost on the way: the peer has been told.
  struct Received {
    wire::Packet packet;
    std::optional<FdToken> descriptor;
  };
  // Connections from a muster primary. `descriptors` are the owner's: as many as arrived of those the offer announces, from the
  // first on.
  struct Offered {
    wire::Offer offer;
    std::vector<FdToken> descriptors;
  };
  struct Sent {
    SendId id;
    std::error_code error;  // none: the system has it
  };
  // A descriptor that is the channel's no longer: close it.
  struct Released {
    FdToken descriptor;
  };
  // The peer says that a descriptor lent to it did not arrive, because it has no room for one. Its message is lost too.
  struct NotReceived {
    FdToken descriptor;
  };
  // The peer broke the protocol, or refused a descriptor for good. Closed follows in the first case.
  struct Failed {
    std::error_code code;  // an Errc, or the system's
    Error error() const;
  };
  // The last event: nothing is read or written any more.
  struct Closed {};
  using Event = std::variant<Received, Offered, Sent, Released, NotReceived, Failed, Closed>;

  enum class SendResult {
    sent,       // written, or will be in this turn
    backed_up,  // queued behind others: slow down
    full,       // not queued, because the peer does not read what is; there is no Sent for it
    closed,     // not queued; there is no Sent for it
  };

  // Whether what was sent is the channel's now, a descriptor that was given with it included.
  static bool queued(SendResult result) { return result == SendResult::sent || result == SendResult::backed_up; }

  // What happens to a descriptor that is sent. `lend`: its owner closes it, and not before the peer
  // has answered. `give`: the channel releases it when the peer has it; sent again when the peer
  // says that it did not arrive.
  enum class Descriptor { lend, give };

  struct Outgoing {
    std::string frame;
    std::optional<FdToken> descriptor = {};
    Descriptor ownership = Descriptor::lend;
    std::optional<SendId> id = {};
    // The protocol cannot do without it: where there is no room for it the channel fails.
    bool required = false;
  };

  static Outgoing required(std::string frame) {
    Outgoing message{std::move(frame)};
    message.required = true;
    return message;
  }

  explicit Channel(Serialization serialization, ChannelLimits limits = {}, wire::UserData user_data = wire::UserData::values);

  // False from the moment of disconnect(), of the peer's end or of a failure.
  bool connected() const { return state_ == State::open; }

  // Whether what was sent waits in such a measure that the sender should slow down.
  bool backed_up() const;

  // How the peer speaks, as its first message shows.
  wire::Dialect dialect() const { return dialect_.value_or(wire::Dialect::node); }

  SendResult send(Outgoing&& message);
  // Connections from number `first` on, lent to a muster worker. They wait for no acknowledgement: the worker answers for each.
  void offer(std::uint64_t first, std::vector<FdToken> connections, std::string_view key);
  // Closes once everything that was sent is written and acknowledged. Returns false when it was
  // disconnected already.
  bool disconnect();

  // What it waits for from the peer. `acknowledgement` of a descriptor: the peer that keeps one waiting too long is given up.
  // `close`: what disconnect() still has to write is given up.
  enum class Timer { acknowledgement, close };
  static constexpr std::array timers{Timer::acknowledgement, Timer::close};
  // After how many milliseconds handle_timeout() is to be called, and again and again until this is nothing.
  std::optional<std::uint64_t> timeout(Timer timer) const;
  void handle_timeout(Timer timer);

  // Bytes from the peer, with the descriptors that one recvmsg(2) brought. Not while a message is to be decoded apart.
  void handle_bytes(std::string_view bytes, std::span<const FdToken> descriptors);
  // A message that is to be decoded apart (ChannelLimits::decode_apart): once, by whoever then decodes it with decode() and
  // says what it is by handle_decoded().
  std::optional<FrameReader::Kept> take_undecoded() { return std::exchange(undecoded_, std::nullopt); }
  struct Decoding {
    Serialization serialization;
    wire::UserData user_data;
    std::size_t max_values;
    Reading<wire::Packet> decode(std::string_view frame) const;
  };
  Decoding decoding() const { return {serialization_, user_data_, limits_.max_values}; }
  void handle_decoded(Reading<wire::Packet> packet);
  // The peer closed, or the connection was reset: both are the end.
  void handle_end();
  // The system refuses to go on with the connection, and the peer has not ended it.
  void handle_failure(std::error_code code);

  // What is to be written next: up to out.size() pieces that go in one sendmsg(2), with the descriptors that must go with its
  // first byte.
  struct Output {
    std::size_t pieces = 0;
    std::span<const FdToken> descriptors = {};
  };
  Output output(std::span<std::string_view> out) const;
  bool has_output() const { return !writing_.empty(); }
  void handle_written(std::size_t bytes);
  // One of these descriptors is closed by now: without it the message is pointless, and is dropped; an offer goes without it.
  void handle_descriptor_gone(FdToken descriptor);

  std::optional<Event> poll_event();

 private:
  enum class State { open, flushing, closed };

  enum class Content { message, acknowledgement, handle, offer };
  struct Writing {
    std::string bytes;
    Content content = Content::message;
    std::vector<FdToken> descriptors = {};
    std::optional<SendId> id = {};
    std::size_t written = 0;
  };
  // The descriptor the peer has not acknowledged.
  struct Unacknowledged {
    std::optional<FdToken> lent;
    std::optional<FdToken> given;  // to be released, and kept for another try
    std::string frame;             // only with `given`
    int transmissions = 1;
    bool on_its_way = false;  // all of it is written; before that there is nothing to acknowledge
    std::uint64_t number = 0;
  };

  void read_frames();
  // False when that was the end.
  bool read_frame(Reading<wire::Packet>&& packet);
  // Whoever comes after a frame has the descriptors that came with it.
  bool end_frame();
  void skip();
  void transmit(Outgoing&& message);
  void put(Writing&& message);
  void acknowledged(bool received);
  void send_waiting();
  void receive(wire::Packet&& packet);
  void acknowledge(bool received);
  template <class T>
  void tell(T event) {
    events_.emplace_back(std::in_place_type<T>, std::move(event));
  }
  void fail(std::error_code code);
  void close_if_done();
  void close();

  Serialization serialization_;
  ChannelLimits limits_;
  wire::UserData user_data_;
  FrameReader frames_;
  std::optional<wire::Dialect> dialect_;
  State state_ = State::open;
  std::deque<Writing> writing_;  // on its way to the system
  std::size_t writing_bytes_ = 0;
  int writing_acknowledgements_ = 0;
  std::deque<Outgoing> waiting_;  // behind an unacknowledged descriptor
  std::size_t waiting_bytes_ = 0;
  std::uint64_t descriptors_sent_ = 0;
  std::optional<Unacknowledged> unacknowledged_;
  std::optional<std::uint64_t> overdue_;  // what was unacknowledged at the last timeout
  unsigned times_overdue_ = 0;
  std::vector<FdToken> arrived_;  // descriptors whose message is not complete yet
  std::vector<FdToken> brought_;  // those of the message after it, while handle_bytes() has not come to that
  bool goes_on_ = false;          // the next frame to end began in an earlier read
  std::optional<FrameReader::Kept> undecoded_;
  std::string unread_;  // what came behind it
  // Not a deque, which would ask for memory for each: they are large.
  std::vector<Event> events_;
  std::size_t polled_ = 0;  // how many of them are given away
};

}  // namespace muster::core
