// SPDX-License-Identifier: MIT
#include "kernel/load_board.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/limits.h"

namespace muster::kernel {
namespace {

// Both ends, as if in two processes.
struct Boards {
  Boards() : primary(LoadBoard::create().value()), worker(LoadBoard::map(primary.take_descriptor()).value()) {}
  LoadBoard primary;
  LoadBoard worker;
};

TEST(LoadBoard, IsClaimedOrRevokedButNotBoth) {
  Boards boards;
  boards.primary.offer(0);
  boards.primary.offer(1);

  EXPECT_TRUE(boards.worker.claim(0));
  EXPECT_FALSE(boards.primary.revoke(0));
  EXPECT_TRUE(boards.primary.revoke(1));
  EXPECT_FALSE(boards.worker.claim(1));
}

TEST(LoadBoard, CountsWhatIsClaimed) {
  Boards boards;
  for (std::uint64_t number = 446; number < 451; ++number) boards.primary.offer(number);
  boards.worker.claim(447);
  boards.worker.claim(449);
  boards.primary.revoke(450);

  EXPECT_EQ(boards.primary.claims(446, 5), 2U);
  EXPECT_EQ(boards.primary.claims(448, 3), 1U);
  EXPECT_EQ(boards.primary.claims(446, 0), 0U);
}

TEST(LoadBoard, KnowsNothingOfWhatWasNotOffered) {
  Boards boards;

  EXPECT_FALSE(boards.worker.claim(0));
  EXPECT_FALSE(boards.primary.revoke(0));
}

TEST(LoadBoard, DoesNotTakeALateClaimForTheNextTenantOfItsSlot) {
  Boards boards;
  boards.primary.offer(3);
  ASSERT_TRUE(boards.primary.revoke(3));
  boards.primary.offer(3 + LoadBoard::slots);

  EXPECT_FALSE(boards.worker.claim(3));
  EXPECT_TRUE(boards.worker.claim(3 + LoadBoard::slots));
}

TEST(LoadBoard, TellsHowManyConnectionsAreOpen) {
  Boards boards;
  EXPECT_EQ(boards.primary.open(), 0U);

  boards.worker.set_open(7);

  EXPECT_EQ(boards.primary.open(), 7U);
}

TEST(LoadBoard, IsWonByExactlyOneOfTwoThatRaceForIt) {
  Boards boards;
  constexpr std::uint64_t rounds = 20000;
  std::atomic<std::uint64_t> offered{0}, claimed{0};
  std::uint64_t claims = 0, revocations = 0;
  std::thread worker([&] {
    for (std::uint64_t n = 0; n < rounds; ++n) {
      while (offered.load() <= n) std::this_thread::yield();
      claims += boards.worker.claim(n);
      claimed = n + 1;
    }
  });
  for (std::uint64_t n = 0; n < rounds; ++n) {
    boards.primary.offer(n);
    offered = n + 1;
    revocations += boards.primary.revoke(n);
    while (claimed.load() <= n) std::this_thread::yield();
  }
  worker.join();

  EXPECT_EQ(claims + revocations, rounds);
}

TEST(LoadBoard, CannotBeMadeShorterByItsWorker) {
  LoadBoard primary = LoadBoard::create().value();
  const OwnedFd descriptor = primary.take_descriptor();

  EXPECT_NE(ftruncate(descriptor.get(), 0), 0);
  EXPECT_EQ(fcntl(descriptor.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(LoadBoard, IsNotMappedFromSomethingElse) {
  EXPECT_FALSE(LoadBoard::map(OwnedFd()));
  EXPECT_FALSE(LoadBoard::map(OwnedFd(open("/dev/null", O_RDWR | O_CLOEXEC))));
  const OwnedFd longer(memfd_create("longer", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(longer.get(), 8192), 0);
  EXPECT_FALSE(LoadBoard::map(longer));
}

}  // namespace
}  // namespace muster::kernel
