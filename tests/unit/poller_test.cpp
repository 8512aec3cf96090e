// SPDX-License-Identifier: MIT
#include "uv/poller.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "unit/libuv_loop.h"
#include "uv/loop.h"

namespace muster::uv {
namespace {

struct Told final : Poller::Client {
  int times = 0;
  std::uint32_t events = 0;
  std::function<void()> then;
  void handle_ready(std::uint32_t e) override {
    ++times;
    events |= e;
    if (then) then();
  }
};

// Both ends of a connection.
struct Pair {
  Pair() {
    std::array<int, 2> fds{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()), 0);
    ours = OwnedFd(fds[0]);
    peer = OwnedFd(fds[1]);
  }
  void send(std::string_view bytes) const {
    EXPECT_EQ(::send(peer.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  OwnedFd ours, peer;
};

// How many sockets the epolls of this process watch.
std::size_t watched_sockets() {
  std::size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(file.path());
    for (std::string line; std::getline(info, line);) count += line.starts_with("tfd:") ? 1 : 0;
  }
  return count;
}

class PollerTest : public testing::Test {
 protected:
  // Everything that is ready is told.
  void settle() {
    loop_.hold();
    for (int i = 0; i < 4; ++i) uv_run(&borrowed_, UV_RUN_NOWAIT);
    loop_.release();
  }
  LibuvLoop borrowed_;
  Loop loop_{&borrowed_};
  Poller& poller_ = loop_.poller();
};

TEST_F(PollerTest, TellsWhatIsReadyAlreadyAndThenWhatBecomesReady) {
  const Pair pair;
  Told told;
  pair.send("a");
  ASSERT_EQ(poller_.watch(pair.ours.get(), EPOLLIN, told), 0);
  settle();
  EXPECT_EQ(told.times, 1);
  pair.send("b");
  settle();
  EXPECT_EQ(told.times, 2);
  poller_.forget(pair.ours.get());
}

TEST_F(PollerTest, TellsAgainWhatItIsAskedAgain) {
  const Pair pair;
  Told told;
  pair.send("a");
  ASSERT_EQ(poller_.watch(pair.ours.get(), EPOLLIN, told), 0);
  settle();
  ASSERT_EQ(poller_.watch(pair.ours.get(), EPOLLIN | EPOLLOUT, told), 0);
  settle();
  EXPECT_EQ(told.times, 2);
  EXPECT_EQ(told.events, static_cast<std::uint32_t>(EPOLLIN | EPOLLOUT));
  poller_.forget(pair.ours.get());
}

TEST_F(PollerTest, TellsInTheSameTurnWhatIsReadyOfASocketThatAnotherCallbackBrought) {
  const Pair pair;
  Told told;
  pair.send("a");
  settle();
  loop_.post([&] { ASSERT_EQ(poller_.watch(pair.ours.get(), EPOLLIN, told), 0); });
  loop_.hold();
  uv_run(&borrowed_, UV_RUN_NOWAIT);
  loop_.release();
  EXPECT_EQ(told.times, 1);
  poller_.forget(pair.ours.get());
}

TEST_F(PollerTest, SaysWhyADescriptorCannotBeWatched) {
  OwnedFd folder(open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  Told told;
  EXPECT_EQ(poller_.watch(folder.get(), EPOLLIN, told), EPERM);
  EXPECT_EQ(poller_.watch(folder.get(), EPOLLIN, told), EPERM);
}

TEST_F(PollerTest, TellsAllOfMoreSocketsThanOneBatchHolds) {
  std::vector<Pair> pairs(400);
  std::vector<Told> told(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i].send("a");
    ASSERT_EQ(poller_.watch(pairs[i].ours.get(), EPOLLIN, told[i]), 0);
  }
  settle();
  for (const Told& one : told) EXPECT_EQ(one.times, 1);
  for (const Pair& pair : pairs) poller_.forget(pair.ours.get());
}

TEST_F(PollerTest, TellsNothingOfSocketsThatAnotherClientForgotInTheSameBatch) {
  std::vector<Pair> pairs(400);
  std::vector<Told> told(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i].send("a");
    ASSERT_EQ(poller_.watch(pairs[i].ours.get(), EPOLLIN, told[i]), 0);
  }
  told[0].then = [&] {
    for (Pair& pair : pairs) {
      poller_.forget(pair.ours.get());
      pair.ours.reset();
    }
  };
  settle();
  EXPECT_EQ(told[0].times, 1);
  for (std::size_t i = 1; i < told.size(); ++i) EXPECT_EQ(told[i].times, 0);
}

TEST_F(PollerTest, TellsNothingOfAnEarlierSocketToTheOneThatHasItsNumberNow) {
  Pair first, second;
  std::optional<Pair> third;
  Told of_first, of_second, of_third;
  first.send("a");
  second.send("b");
  ASSERT_EQ(poller_.watch(first.ours.get(), EPOLLIN, of_first), 0);
  ASSERT_EQ(poller_.watch(second.ours.get(), EPOLLIN, of_second), 0);
  const int number = second.ours.get();
  of_first.then = [&] {
    poller_.forget(number);
    second.ours.reset();
    third.emplace();
    ASSERT_EQ(third->ours.get(), number) << "the system gives out the lowest number";
    ASSERT_EQ(poller_.watch(number, EPOLLIN, of_third), 0);
  };
  settle();
  EXPECT_EQ(of_first.times, 1);
  EXPECT_EQ(of_second.times, 0);
  EXPECT_EQ(of_third.times, 0);
  third->send("c");
  settle();
  EXPECT_EQ(of_third.times, 1);
  poller_.forget(first.ours.get());
  poller_.forget(number);
}

TEST_F(PollerTest, ForgetsASocketThatAnotherProcessHasToo) {
  Pair pair;
  const OwnedFd copy(fcntl(pair.ours.get(), F_DUPFD_CLOEXEC, 3));
  Told told;
  settle();
  const std::size_t before = watched_sockets();
  ASSERT_EQ(poller_.watch(pair.ours.get(), EPOLLIN, told), 0);
  EXPECT_EQ(watched_sockets(), before + 1);
  poller_.forget(pair.ours.get());
  pair.ours.reset();
  EXPECT_EQ(watched_sockets(), before);
}

TEST_F(PollerTest, KeepsTheLoopAliveWhileSomebodyHoldsIt) {
  settle();
  EXPECT_FALSE(uv_loop_alive(&borrowed_));
  loop_.hold();
  loop_.hold();
  loop_.release();
  EXPECT_TRUE(uv_loop_alive(&borrowed_));
  loop_.release();
  EXPECT_FALSE(uv_loop_alive(&borrowed_));
}

}  // namespace
}  // namespace muster::uv
