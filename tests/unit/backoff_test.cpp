// SPDX-License-Identifier: MIT
#include "core/backoff.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

TEST(Backoff, TriesAtOnceFirstAndThenDoublesUpToItsMost) {
  Backoff backoff(100, 1000, 7);

  EXPECT_EQ(backoff.next(), 0U);
  for (const std::uint64_t most : {100U, 200U, 400U, 800U, 1000U, 1000U}) {
    const std::uint64_t wait = backoff.next();
    EXPECT_LE(wait, most);
    EXPECT_GE(wait, most / 2);
  }
}

TEST(Backoff, StartsAgainWhenItWentWell) {
  Backoff backoff(100, 1000, 7);
  backoff.next();
  backoff.next();

  backoff.reset();

  EXPECT_EQ(backoff.next(), 0U);
}

// At once for ever would leave no time for anything else.
TEST(Backoff, WaitsAMillisecondWhereItShallNotWait) {
  Backoff backoff(0, 0, 7);
  EXPECT_EQ(backoff.next(), 0U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(backoff.next(), 1U);
}

TEST(Backoff, WaitsDifferentTimesWithDifferentSeeds) {
  Backoff one(10'000, 10'000, 1), other(10'000, 10'000, 2);
  one.next();
  other.next();
  EXPECT_NE(one.next(), other.next());
}

TEST(Budget, IsSpentByMoreThanItsLimitWithinTheWindow) {
  Budget budget(2, 1000);
  EXPECT_TRUE(budget.spend(0));
  EXPECT_TRUE(budget.spend(500));
  EXPECT_FALSE(budget.spend(999));
}

TEST(Budget, ForgetsWhatIsOlderThanTheWindow) {
  Budget budget(2, 1000);
  budget.spend(0);
  budget.spend(500);
  EXPECT_TRUE(budget.spend(1000));
  EXPECT_FALSE(budget.spend(1400));
}

TEST(Budget, WithoutALimitIsNeverSpent) {
  Budget budget(0, 1000);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(budget.spend(0));
}

}  // namespace
}  // namespace muster::core
