// SPDX-License-Identifier: MIT
#include "unit/libuv_loop.h"
#include "uv/stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "uv/timer.h"

namespace muster::uv {
namespace {

using namespace std::chrono_literals;

// One end of a connection, and what it was told.
struct End final : Stream::Client {
  explicit End(Loop& loop, OwnedFd fd) : stream(std::in_place, loop, std::move(fd), static_cast<Stream::Client&>(*this)) {}

  std::optional<Stream> stream;
  std::string in;
  int reads = 0;
  int ends = 0;
  int drained = 0;
  bool finished = false;
  int error = 0;
  std::function<void()> on_read;

  void handle_read(std::string_view bytes) override {
    in.append(bytes);
    ++reads;
    if (on_read) on_read();
  }
  void handle_end() override { ++ends; }
  void handle_drained() override { ++drained; }
  void handle_finished() override { finished = true; }
  void handle_error(int error_number, const char*) override {
    EXPECT_EQ(error, 0);
    error = error_number;
  }
};

std::string numbered(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + " ";
  text.resize(size);
  return text;
}

// A socket that somebody else reads and writes.
void send_all(const OwnedFd& fd, std::string_view bytes, int flags = 0) {
  ASSERT_EQ(send(fd.get(), bytes.data(), bytes.size(), flags), static_cast<ssize_t>(bytes.size()));
}

class StreamTest : public testing::TestWithParam<int> {
 protected:
  using Fds = std::pair<OwnedFd, OwnedFd>;

  // Two connected sockets of the family.
  static Fds connect(int family = GetParam()) {
    std::array<int, 2> fds{-1, -1};
    if (family == AF_UNIX) {
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
      return {OwnedFd(fds[0]), OwnedFd(fds[1])};
    }
    const OwnedFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* name = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener.get(), name, size), 0);
    EXPECT_EQ(listen(listener.get(), 1), 0);
    EXPECT_EQ(getsockname(listener.get(), name, &size), 0);
    OwnedFd ours(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(ours.get(), name, size), 0);
    OwnedFd peer(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    EXPECT_EQ(fcntl(ours.get(), F_SETFL, O_NONBLOCK), 0);
    return {std::move(ours), std::move(peer)};
  }

  void until(const std::function<bool()>& condition) {
    bool late = false;
    Timer guard(loop_, [&] { late = true; });
    guard.start(100s);
    while (!condition() && !late) uv_run(&borrowed_, UV_RUN_ONCE);
    ASSERT_FALSE(late) << "waited in vain";
  }
  // Everything that is ready is told.
  void settle() {
    // libuv looks at nothing when nothing keeps the loop alive.
    Timer alive(loop_, [] {});
    alive.start(1h);
    for (int i = 0; i < 8; ++i) uv_run(&borrowed_, UV_RUN_NOWAIT);
  }

  LibuvLoop borrowed_;
  Loop loop_{&borrowed_};
};

INSTANTIATE_TEST_SUITE_P(Family, StreamTest, testing::Values(AF_UNIX, AF_INET),
                         [](const auto& test) { return test.param == AF_UNIX ? "Unix" : "Tcp"; });

TEST_P(StreamTest, LosesNothingOfABigUploadToAReaderThatPausesAfterEveryRead) {
  auto [a, b] = connect();
  End sender(loop_, std::move(a)), reader(loop_, std::move(b));
  const std::string text = numbered(8 << 20);
  Timer later(loop_, [&] { reader.stream->start_reading(); });
  reader.on_read = [&] {
    reader.stream->stop_reading();
    // One time in three at once, else in another turn.
    if (reader.reads % 3 == 0) {
      reader.stream->start_reading();
    } else {
      later.start(0ms);
    }
  };
  reader.stream->start_reading();
  EXPECT_FALSE(sender.stream->write(text));
  sender.stream->end();
  until([&] { return reader.ends > 0; });
  EXPECT_TRUE(reader.in == text);
  EXPECT_EQ(reader.ends, 1);
  EXPECT_TRUE(sender.finished);
  EXPECT_EQ(sender.stream->bytes_written(), text.size());
  EXPECT_EQ(reader.stream->bytes_read(), text.size());
}

TEST_P(StreamTest, ReadsWhatWasToldWhileItWasPaused) {
  auto [a, peer] = connect();
  End end(loop_, std::move(a));
  end.stream->start_reading();
  settle();
  end.stream->stop_reading();
  send_all(peer, "while paused");
  settle();
  EXPECT_EQ(end.in, "");
  end.stream->start_reading();
  settle();
  EXPECT_EQ(end.in, "while paused");
}

TEST_P(StreamTest, ReadsWhatCameBetweenAPauseAndItsEnd) {
  auto [a, peer] = connect();
  End end(loop_, std::move(a));
  end.stream->start_reading();
  settle();
  end.stream->stop_reading();
  send_all(peer, "told to nobody yet");
  end.stream->start_reading();
  settle();
  EXPECT_EQ(end.in, "told to nobody yet");
}

TEST_P(StreamTest, ReadsTheEndThatCameWithTheBytes) {
  auto [a, peer] = connect();
  End end(loop_, std::move(a));
  end.stream->start_reading();
  settle();
  send_all(peer, "bytes");
  shutdown(peer.get(), SHUT_WR);
  until([&] { return end.ends > 0; });
  EXPECT_EQ(end.in, "bytes");
}

TEST_P(StreamTest, ReadsTheEndThatCameWhileItWasPaused) {
  auto [a, peer] = connect();
  End end(loop_, std::move(a));
  end.on_read = [&] { end.stream->stop_reading(); };
  end.stream->start_reading();
  send_all(peer, "bytes");
  until([&] { return end.reads > 0; });
  shutdown(peer.get(), SHUT_WR);
  settle();
  EXPECT_EQ(end.ends, 0);
  end.stream->start_reading();
  until([&] { return end.ends > 0; });
}

TEST_P(StreamTest, WritesOnToAPeerThatSendsNoMore) {
  auto [a, b] = connect();
  End half(loop_, std::move(a)), reader(loop_, std::move(b));
  const std::string text = numbered(4 << 20);
  half.stream->start_reading();
  reader.stream->end();
  until([&] { return half.ends > 0; });
  EXPECT_FALSE(half.stream->write(text));
  settle();
  reader.stream->start_reading();
  until([&] { return reader.in.size() == text.size(); });
  until([&] { return half.drained > 0; });
  EXPECT_TRUE(reader.in == text);
  EXPECT_EQ(half.drained, 1);
  EXPECT_EQ(half.ends, 1);
}

TEST_P(StreamTest, TellsOnceThatThePeerIsGoneWhenItWritesToIt) {
  auto [a, peer] = connect();
  End end(loop_, std::move(a));
  EXPECT_FALSE(end.stream->write(numbered(8 << 20)));
  peer.reset();
  until([&] { return end.error != 0; });
  EXPECT_TRUE(end.error == EPIPE || end.error == ECONNRESET) << end.error;
  EXPECT_EQ(end.drained, 0);
  EXPECT_FALSE(end.stream->write("more"));
  settle();
}

TEST_F(StreamTest, TellsThatThePeerResetTheConnectionAfterItsBytes) {
  auto [a, peer] = connect(AF_INET);
  End end(loop_, std::move(a));
  end.stream->start_reading();
  send_all(peer, "bytes");
  until([&] { return end.reads > 0; });
  const linger reset{1, 0};
  setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  peer.reset();
  until([&] { return end.error != 0; });
  EXPECT_EQ(end.error, ECONNRESET);
  EXPECT_EQ(end.in, "bytes");
  EXPECT_EQ(end.ends, 0);
}

TEST_F(StreamTest, ReadsOnBehindAnUrgentByte) {
  auto [a, peer] = connect(AF_INET);
  End end(loop_, std::move(a));
  end.stream->start_reading();
  settle();
  send_all(peer, "before");
  send_all(peer, "!", MSG_OOB);
  send_all(peer, "after");
  until([&] { return end.in.size() >= 11; });
  EXPECT_EQ(end.in, "beforeafter");
}

TEST_P(StreamTest, DoesNotWaitOnASocketThatWould) {
  auto [a, peer] = connect();
  ASSERT_EQ(fcntl(a.get(), F_SETFL, 0), 0);
  End end(loop_, std::move(a));
  EXPECT_FALSE(end.stream->write(numbered(8 << 20)));
  // The one that is told first reads what the other was told of too.
  auto [b, other_peer] = connect();
  ASSERT_EQ(fcntl(b.get(), F_SETFL, 0), 0);
  End one(loop_, OwnedFd(fcntl(b.get(), F_DUPFD_CLOEXEC, 3))), other(loop_, std::move(b));
  send_all(other_peer, "x");
  one.stream->start_reading();
  other.stream->start_reading();
  settle();
  EXPECT_EQ(one.in + other.in, "x");
}

TEST_P(StreamTest, LetsOthersHaveTheirTurnBetweenTwoReads) {
  auto [a, b] = connect();
  auto [c, other_peer] = connect();
  End sender(loop_, std::move(a)), busy(loop_, std::move(b)), other(loop_, std::move(c));
  sender.stream->write(numbered(8 << 20));
  send_all(other_peer, "x");
  int reads_before_other = -1;
  other.on_read = [&] { reads_before_other = busy.reads; };
  busy.stream->start_reading();
  other.stream->start_reading();
  until([&] { return other.reads > 0; });
  EXPECT_LE(reads_before_other, 1);
  until([&] { return busy.in.size() == 8 << 20; });
}

TEST_P(StreamTest, MayBeDestroyedByAnotherInTheSameTurn) {
  std::vector<OwnedFd> peers;
  std::vector<std::unique_ptr<End>> ends;
  int reads = 0;
  for (int i = 0; i < 200; ++i) {
    auto [a, peer] = connect();
    auto& end = ends.emplace_back(std::make_unique<End>(loop_, std::move(a)));
    peers.push_back(std::move(peer));
    end->on_read = [&] {
      // Whoever is first ends all others.
      if (++reads > 1) return;
      for (auto& other : ends) {
        if (other->reads == 0) other.reset();
      }
    };
    end->stream->start_reading();
  }
  settle();
  for (const OwnedFd& peer : peers) send_all(peer, "x");
  settle();
  EXPECT_EQ(reads, 1);
}

TEST_P(StreamTest, MayBeClosedFromItsOwnCallback) {
  auto [a, peer] = connect();
  End end(loop_, std::move(a));
  end.on_read = [&] { end.stream->close(); };
  end.stream->start_reading();
  send_all(peer, "bytes");
  shutdown(peer.get(), SHUT_WR);
  until([&] { return end.reads > 0; });
  settle();
  EXPECT_EQ(end.reads, 1);
  EXPECT_EQ(end.ends, 0);
  EXPECT_EQ(end.error, 0);
}

TEST_P(StreamTest, MayHaveASocketThatItGaveAwayBefore) {
  auto [a, peer] = connect();
  End first(loop_, std::move(a));
  first.stream->start_reading();
  settle();
  End second(loop_, first.stream->release());
  second.stream->start_reading();
  send_all(peer, "bytes");
  settle();
  EXPECT_EQ(first.in, "");
  EXPECT_EQ(second.in, "bytes");
}

TEST_P(StreamTest, KeepsTheLoopAliveWhileSomethingMayComeOrMustGo) {
  auto [a, peer] = connect();
  End end(loop_, std::move(a));
  const auto alive = [&] { return uv_loop_alive(&borrowed_) != 0; };
  EXPECT_FALSE(alive());
  end.stream->start_reading();
  EXPECT_TRUE(alive());
  end.stream->unref();
  EXPECT_FALSE(alive());
  end.stream->ref();
  end.stream->stop_reading();
  EXPECT_FALSE(alive());
  EXPECT_FALSE(end.stream->write(numbered(8 << 20)));
  EXPECT_TRUE(alive());
  end.stream->close();
  EXPECT_FALSE(alive());
}

TEST_F(StreamTest, ReportsWhatCannotBeWatched) {
  End end(loop_, OwnedFd(open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY)));
  end.stream->start_reading();
  until([&] { return end.error != 0; });
  EXPECT_EQ(end.error, EPERM);
}

}  // namespace
}  // namespace muster::uv
