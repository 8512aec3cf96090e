// SPDX-License-Identifier: MIT
#include "kernel/accept_counters.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/fd.h"
#include "kernel/member_counts.h"

namespace muster::kernel {
namespace {

// The kernel's side of the page, which is a file here.
struct AcceptCountersTest : testing::Test {
  AcceptCountersTest() {
    EXPECT_EQ(ftruncate(file.get(), sizeof(member_counts)), 0);
    counts =
        static_cast<member_counts*>(mmap(nullptr, sizeof(member_counts), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
  }
  ~AcceptCountersTest() override { munmap(counts, sizeof(member_counts)); }

  OwnedFd file{memfd_create("counts", MFD_CLOEXEC)};
  member_counts* counts;
};

TEST_F(AcceptCountersTest, CountsWhatWasAccepted) {
  auto counters = AcceptCounters::map(file.get());
  counts->dispatched = 5;
  counters->accepted(2);
  EXPECT_EQ(counts->accepted, 2U);
  counters->accepted(1);
  EXPECT_EQ(counts->accepted, 3U);
}

TEST_F(AcceptCountersTest, ForgetsHandshakesThatWereNeverFinished) {
  auto counters = AcceptCounters::map(file.get());
  counts->dispatched = 5;
  counters->accepted(2);
  counters->drained();
  EXPECT_EQ(counts->accepted, 5U);
  EXPECT_EQ(counts->dispatched, 5U);
}

TEST_F(AcceptCountersTest, DoesNotCountBeyondWhatWasDispatched) {
  auto counters = AcceptCounters::map(file.get());
  counts->dispatched = 5;
  counters->drained();
  // One that was on its way when it was forgotten.
  counters->accepted(1);
  EXPECT_EQ(counts->accepted, 5U);
}

TEST_F(AcceptCountersTest, LivesLongerThanTheDescriptorAndMoves) {
  auto first = AcceptCounters::map(file.get());
  file.reset();
  AcceptCounters counters = std::move(*first);
  first.reset();
  counts->dispatched = 1;
  counters.accepted(1);
  EXPECT_EQ(counts->accepted, 1U);
}

TEST(AcceptCounters, IsNothingWithoutADescriptor) { EXPECT_FALSE(AcceptCounters::map(-1)); }

}  // namespace
}  // namespace muster::kernel
