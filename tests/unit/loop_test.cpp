// SPDX-License-Identifier: MIT
// The loop, by itself and in one of libuv's.

#include "uv/loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <optional>
#include <string>
#include <thread>

#include <muster/error.h>

#include <gtest/gtest.h>

#include "unit/libuv_loop.h"
#include "uv/fd_watch.h"
#include "uv/signal_watcher.h"
#include "uv/timer.h"

namespace muster::uv {
namespace {

using namespace std::chrono_literals;

struct LoopTest : testing::TestWithParam<bool> {
  LoopTest() { loop.emplace(GetParam() ? &host : nullptr); }
  LibuvLoop host;
  std::optional<Loop> loop;
};
INSTANTIATE_TEST_SUITE_P(Runs, LoopTest, testing::Bool(), [](const auto& test) { return test.param ? "AsAGuest" : "Alone"; });

TEST_P(LoopTest, EndsWhenNothingIsLeft) {
  EXPECT_EQ(loop->run(), 0);
  loop->hold();
  Timer timer(*loop, [&] { loop->release(); });
  timer.start(1ms);
  EXPECT_EQ(loop->run(), 0);
}

TEST_P(LoopTest, ReturnsWhatItWasStoppedWithAlsoBefore) {
  loop->hold();
  loop->stop(3);
  EXPECT_EQ(loop->run(), 3);
  Timer timer(*loop, [&] { loop->stop(4); });
  timer.start(0ms);
  EXPECT_EQ(loop->run(), 4);
  OwnedFd ready(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  FdWatch watch(*loop, [&](std::uint32_t) { loop->stop(5); });
  ASSERT_EQ(watch.start(ready.get(), EPOLLIN), 0);
  EXPECT_EQ(loop->run(), 5);
  loop->release();
}

#ifndef NDEBUG
TEST_P(LoopTest, TellsAnotherThreadThatItIsTheWrongOne) {
  std::error_code told;
  std::thread([&] {
    try {
      loop->next_tick([] {});
    } catch (const Exception& e) {
      told = e.code();
    }
  }).join();
  EXPECT_EQ(told, Errc::wrong_thread);
}
#endif

TEST_P(LoopTest, RunsTimersBesideADescriptorThatIsAlwaysReady) {
  OwnedFd ready(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  int told = 0;
  FdWatch watch(*loop, [&](std::uint32_t) { ++told; });
  ASSERT_EQ(watch.start(ready.get(), EPOLLIN), 0);
  int fired = 0;
  Timer timer(*loop, [&] {
    if (++fired == 3) loop->stop(0);
  });
  timer.start(1ms, 1ms);
  loop->run();
  EXPECT_EQ(fired, 3);
  EXPECT_GT(told, 0);
}

TEST_P(LoopTest, HearsOtherThreadsWhileItWaits) {
  bool done = false;
  loop->run_in_thread([] {}, [&](int error) { done = error == 0; });
  EXPECT_EQ(loop->run(), 0);
  EXPECT_TRUE(done);
}

TEST_P(LoopTest, RunsTimersInTheOrderInWhichTheyAreDue) {
  std::string order;
  Timer third(*loop, [&] { order += "3"; });
  Timer first(*loop, [&] { order += "1"; });
  Timer second(*loop, [&] {
    order += "2";
    third.start(0ms);
  });
  Timer stopped(*loop, [&] { order += "x"; });
  third.start(1h);
  first.start(1ms);
  stopped.start(2ms);
  second.start(2ms);
  stopped.stop();
  loop->run();
  EXPECT_EQ(order, "123");
}

TEST_P(LoopTest, IsNotKeptByATimerThatIsNotReferred) {
  Timer timer(*loop, [] {});
  timer.start(1h);
  timer.unref();
  EXPECT_EQ(loop->run(), 0);
}

TEST_P(LoopTest, RunsATimerThatDestroysItselfAndOthers) {
  int fired = 0;
  std::optional<Timer> one, other;
  const auto both = [&] {
    ++fired;
    one.reset();
    other.reset();
  };
  one.emplace(*loop, both);
  other.emplace(*loop, both);
  one->start(1ms, 1ms);
  other->start(1ms, 1ms);
  loop->run();
  EXPECT_EQ(fired, 1);
}

TEST_P(LoopTest, TellsEachArrivalOfASignalToAllThatWatchIt) {
  int first = 0, second = 0;
  const auto done = [&] {
    if (first >= 2 && second >= 2) loop->stop(0);
  };
  struct sigaction before {};
  {
    SignalWatcher one(*loop, Signal::usr2, [&] { ++first, done(); });
    SignalWatcher two(*loop, Signal::usr2, [&] { ++second, done(); });
    loop->hold();
    raise(SIGUSR2);
    raise(SIGUSR2);
    loop->run();
    loop->release();
  }
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 2);
  sigaction(SIGUSR2, nullptr, &before);
  EXPECT_EQ(before.sa_handler, SIG_DFL);
}

struct Waiting final : Loop::BeforeWait {
  explicit Waiting(Function<void()> f) : function(std::move(f)) {}
  void before_wait() override { function(); }
  Function<void()> function;
};

// In both kinds of loop.
void expect_before_wait(Loop& loop) {
  OwnedFd ready(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  std::string order;
  Waiting first([&] { order += "w"; });
  Waiting forgotten([&] { order += "x"; });
  FdWatch watch(loop, [&](std::uint32_t) {
    order += "r";
    loop.before_wait(first);
    loop.before_wait(first);
    loop.before_wait(forgotten);
    loop.forget(forgotten);
    loop.next_tick([&] { order += "t"; });
    if (order.size() > 5) watch.stop();
  });
  ASSERT_EQ(watch.start(ready.get(), EPOLLIN), 0);
  loop.run();
  EXPECT_EQ(order, "rtwrtwrtw");
}

TEST_P(LoopTest, DoesBeforeItWaitsWhatIsToBeDoneThen) { expect_before_wait(*loop); }

}  // namespace
}  // namespace muster::uv
