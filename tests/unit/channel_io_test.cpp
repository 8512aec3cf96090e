// SPDX-License-Identifier: MIT
#include "unit/libuv_loop.h"
#include "uv/channel_io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

namespace muster::uv {
namespace {

// A channel whose other end is ours to play with.
class ChannelIoTest : public testing::Test {
 protected:
  ChannelIoTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    peer = OwnedFd(ends[1]);
    descriptor = ends[0];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    core::ChannelLimits limits;
    limits.decode_apart = 1000;
    io = std::make_unique<ChannelIo>(loop, fds, OwnedFd(ends[0]), core::Channel(Serialization::json, limits),
                                     [this](core::Channel::Event& event) { handle(event); });
  }

  void handle(core::Channel::Event& event) {
    if (auto* received = std::get_if<core::Channel::Received>(&event)) {
      const Value& value = std::get<Value>(received->packet.payload);
      events.push_back(value.is_string() && value.as_string().size() > 100 ? "long" : value.as_string());
    } else if (const auto* sent = std::get_if<core::Channel::Sent>(&event)) {
      events.push_back(sent->error ? "not sent" : "sent");
    } else if (const auto* failed = std::get_if<core::Channel::Failed>(&event)) {
      events.push_back(error_name(failed->error().code));
    } else if (std::holds_alternative<core::Channel::Closed>(event)) {
      events.push_back("closed");
    }
  }

  void say(const std::string& text) const { EXPECT_EQ(::send(peer.get(), text.data(), text.size(), 0), ssize_t(text.size())); }
  void send(std::uint64_t id) { io->send({.frame = "1\n", .id = core::SendId{id}}); }

  LibuvLoop borrowed;
  Loop loop{&borrowed};
  FdTable fds;
  OwnedFd peer;
  int descriptor = -1;
  std::unique_ptr<ChannelIo> io;
  std::vector<std::string> events;
};

using Events = std::vector<std::string>;

TEST_F(ChannelIoTest, FailsWhenThePeerShutsItsEndForReading) {
  shutdown(peer.get(), SHUT_RD);
  say("\"said\"\n");
  send(1);
  loop.run();

  EXPECT_EQ(events, (Events{"said", "ERR_IPC_CHANNEL_FAILED", "not sent", "closed"}));
}

TEST_F(ChannelIoTest, EndsWhenThePeerShutsItsEndForWriting) {
  say("\"said\"\n");
  shutdown(peer.get(), SHUT_WR);
  loop.run();

  EXPECT_EQ(events, (Events{"said", "closed"}));
}

TEST_F(ChannelIoTest, EndsWithoutAnErrorWhenThePeerHasGone) {
  say("\"said\"\n");
  peer.reset();
  send(1);
  loop.run();

  EXPECT_EQ(events, (Events{"said", "not sent", "closed"}));
}

// It counts as readable, and a plain read finds nothing: a loop that waits for it never sleeps.
TEST_F(ChannelIoTest, IsNotKeptAwakeByAByteOutOfBand) {
  if (::send(peer.get(), "!", 1, MSG_OOB) < 0) return;  // a kernel that has no such thing
  say("\"after\"\n");
  while (events.empty()) uv_run(&borrowed, UV_RUN_ONCE);

  EXPECT_EQ(events, Events{"after"});
  ::send(peer.get(), "!", 1, MSG_OOB);
  uv_run(&borrowed, UV_RUN_ONCE);
  pollfd ready{descriptor, POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, 0), 0);
}

TEST_F(ChannelIoTest, KeepsTheOrderOfWhatIsDecodedApart) {
  const std::string large = "\"" + std::string(5000, 'x') + "\"\n";
  say("\"a\"\n" + large + "\"b\"\n" + large + "\"c\"\n");
  peer.reset();
  bool read = false;
  io->read_all([&] {
    events.push_back("read");
    read = true;
  });
  EXPECT_FALSE(read);
  loop.run();

  EXPECT_EQ(events, (Events{"a", "long", "b", "long", "c", "closed", "read"}));
}

TEST_F(ChannelIoTest, MayGoWhileAMessageIsDecoded) {
  say("\"" + std::string(5000, 'x') + "\"\n");
  io->read_all([] { FAIL(); });
  io.reset();
  loop.run();

  EXPECT_TRUE(events.empty());
}

}  // namespace
}  // namespace muster::uv
