// SPDX-License-Identifier: MIT
// A channel under a peer that sends any bytes with any descriptors, and a program that sends, disconnects and writes short at
// any moment: each descriptor is given away once, the end is told once and last, and nothing is kept without bound.

#include <array>
#include <cstdlib>
#include <set>
#include <string>

#include "core/channel.h"

using namespace muster;
using core::Channel;
using core::FdToken;

namespace {

// The input, as decisions.
class Decisions {
 public:
  Decisions(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  bool done() const { return at_ >= size_; }
  std::uint8_t byte() { return done() ? 0 : data_[at_++]; }
  std::string_view bytes(std::size_t count) {
    count = std::min(count, size_ - at_);
    const std::string_view result(reinterpret_cast<const char*>(data_) + at_, count);
    at_ += count;
    return result;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  std::size_t at_ = 0;
};

struct World {
  explicit World(Serialization serialization)
      : channel(serialization, {.max_message = 4096, .max_queue = 1 << 16}), serialization(serialization) {}

  void poll() {
    while (const auto event = channel.poll_event()) {
      // The end is the last event, but for descriptors that come when nobody takes them any more.
      if (closed && !std::holds_alternative<Channel::Released>(*event)) std::abort();
      if (const auto* received = std::get_if<Channel::Received>(&*event)) {
        if (received->descriptor) give_away(*received->descriptor);
      } else if (const auto* offered = std::get_if<Channel::Offered>(&*event)) {
        if (offered->descriptors.size() > offered->offer.with_descriptor.size()) std::abort();
        for (const FdToken descriptor : offered->descriptors) give_away(descriptor);
      } else if (const auto* released = std::get_if<Channel::Released>(&*event)) {
        give_away(released->descriptor);
      } else if (const auto* sent = std::get_if<Channel::Sent>(&*event)) {
        if (told.erase(sent->id) != 1) std::abort();
      } else if (std::holds_alternative<Channel::Closed>(*event)) {
        closed = true;
      }
    }
  }

  void give_away(FdToken descriptor) {
    if (held.erase(descriptor) != 1) std::abort();
  }

  void send(bool with_descriptor, bool lend, std::size_t size) {
    std::optional<core::wire::HandleInfo> handle;
    if (with_descriptor) handle.emplace(core::wire::HandleInfo{core::wire::HandleKind::net_socket});
    Channel::Outgoing message{core::wire::encode(serialization, Value(std::string(size, 'x')), handle)};
    if (with_descriptor) {
      message.descriptor = FdToken{++next_fd};
      message.ownership = lend ? Channel::Descriptor::lend : Channel::Descriptor::give;
    }
    const core::SendId id{++next_send};
    message.id = id;
    const auto descriptor = message.descriptor;
    const auto result = channel.send(std::move(message));
    if (result == Channel::SendResult::sent || result == Channel::SendResult::backed_up) {
      told.insert(id);
      // The channel has it now, unless it is only lent.
      if (descriptor && !lend) held.insert(*descriptor);
    }
  }

  void write(std::size_t most) {
    std::array<std::string_view, 4> pieces;
    const auto output = channel.output(pieces);
    std::size_t size = 0;
    for (std::size_t i = 0; i < output.pieces; ++i) size += pieces[i].size();
    channel.handle_written(std::min(size, most));
  }

  // The descriptor that would be written next is closed by now.
  void lose_descriptor() {
    std::array<std::string_view, 4> pieces;
    const auto output = channel.output(pieces);
    if (!output.descriptors.empty()) channel.handle_descriptor_gone(output.descriptors.back());
  }

  // A good peer's offer, with as many descriptors as the system let through, cut in two.
  void take_offer(std::size_t cut) {
    const std::string frame = core::wire::encode_offer(serialization, next_fd, 3, "key");
    std::array<FdToken, 3> descriptors;
    const std::size_t count = cut % 4;
    for (std::size_t i = 0; i < count; ++i) held.insert(descriptors[i] = FdToken{++next_fd});
    cut = 1 + cut % (frame.size() - 1);
    channel.handle_bytes(std::string_view(frame).substr(0, cut), {descriptors.data(), count});
    channel.handle_bytes(std::string_view(frame).substr(cut), {});
  }

  Channel channel;
  Serialization serialization;
  std::set<FdToken> held;       // open descriptors that the channel has to give away
  std::set<core::SendId> told;  // sends whose end is still to be told
  std::uint64_t next_fd = 0;
  std::uint64_t next_send = 0;
  bool closed = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Decisions decide(data, size);
  World world(decide.byte() % 2 == 0 ? Serialization::json : Serialization::advanced);
  while (!decide.done()) {
    const std::uint8_t what = decide.byte();
    switch (what % 8) {
      case 0:
      case 1:
      case 2: {
        std::array<FdToken, 3> descriptors;
        const std::size_t count = what % 8 == 2 ? (what >> 3) % 4U : 0;
        for (std::size_t i = 0; i < count; ++i) world.held.insert(descriptors[i] = FdToken{++world.next_fd});
        const std::string_view bytes = decide.bytes(decide.byte());
        if (bytes.empty()) {
          for (std::size_t i = 0; i < count; ++i) world.held.erase(descriptors[i]);
          break;
        }
        const std::string copy(bytes);
        world.channel.handle_bytes(copy, {descriptors.data(), count});
        break;
      }
      case 3: world.send(false, false, decide.byte()); break;
      case 4: world.send(true, (what >> 3) % 2 == 0, decide.byte()); break;
      case 5:
        if (world.channel.has_output()) world.write(decide.byte());
        break;
      case 6:
        // What a good peer says.
        world.channel.handle_bytes(core::wire::encode_ack(world.serialization, (what >> 3) % 2 == 0), {});
        break;
      case 7:
        switch ((what >> 3) % 8) {
          case 0: world.channel.disconnect(); break;
          case 1: world.channel.handle_end(); break;
          case 2: world.channel.handle_timeout(core::Channel::Timer::close); break;
          case 3: world.channel.handle_timeout(core::Channel::Timer::acknowledgement); break;
          case 4: world.channel.offer(world.next_fd, {FdToken{++world.next_fd}, FdToken{++world.next_fd}}, "key"); break;
          case 5: world.lose_descriptor(); break;
          case 6: world.take_offer(decide.byte()); break;
          default: break;
        }
        break;
    }
    world.poll();
  }
  world.channel.handle_end();
  world.poll();
  if (!world.closed || !world.held.empty() || !world.told.empty()) std::abort();
  return 0;
}
