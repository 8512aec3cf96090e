// The loop that waits in its own epoll.

#include "uv/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <string>

#include <gtest/gtest.h>

#include "unit/libuv_loop.h"
#include "uv/fd_watch.h"
#include "uv/timer.h"

namespace muster::uv {
namespace {

using namespace std::chrono_literals;

TEST(OwnedLoop, EndsWhenNothingIsLeft) {
  Loop loop;
  EXPECT_EQ(loop.run(), 0);
  loop.hold();
  Timer timer(loop, [&] { loop.release(); });
  timer.start(1ms);
  EXPECT_EQ(loop.run(), 0);
}

TEST(OwnedLoop, ReturnsWhatItWasStoppedWithAlsoBefore) {
  Loop loop;
  loop.hold();
  loop.stop(3);
  EXPECT_EQ(loop.run(), 3);
  Timer timer(loop, [&] { loop.stop(4); });
  timer.start(0ms);
  EXPECT_EQ(loop.run(), 4);
  OwnedFd ready(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  FdWatch watch(loop, [&](std::uint32_t) { loop.stop(5); });
  ASSERT_EQ(watch.start(ready.get(), EPOLLIN), 0);
  EXPECT_EQ(loop.run(), 5);
  loop.release();
}

TEST(OwnedLoop, RunsTimersBesideADescriptorThatIsAlwaysReady) {
  Loop loop;
  OwnedFd ready(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  int told = 0;
  FdWatch watch(loop, [&](std::uint32_t) { ++told; });
  ASSERT_EQ(watch.start(ready.get(), EPOLLIN), 0);
  int fired = 0;
  Timer timer(loop, [&] {
    if (++fired == 3) loop.stop(0);
  });
  timer.start(1ms, 1ms);
  loop.run();
  EXPECT_EQ(fired, 3);
  EXPECT_GT(told, 0);
}

TEST(OwnedLoop, HearsOtherThreadsWhileItWaits) {
  Loop loop;
  bool done = false;
  loop.run_in_thread([] {}, [&](int error) { done = error == 0; });
  EXPECT_EQ(loop.run(), 0);
  EXPECT_TRUE(done);
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

TEST(OwnedLoop, DoesBeforeItWaitsWhatIsToBeDoneThen) {
  Loop loop;
  expect_before_wait(loop);
}

TEST(BorrowedLoop, DoesBeforeItWaitsWhatIsToBeDoneThen) {
  LibuvLoop borrowed;
  Loop loop(&borrowed);
  expect_before_wait(loop);
}

}  // namespace
}  // namespace muster::uv
