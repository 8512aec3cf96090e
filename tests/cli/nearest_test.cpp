// SPDX-License-Identifier: MIT
#include "config/nearest.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

TEST(TypingDistance, CountsSlipsOfTheFingers) {
  EXPECT_EQ(typing_distance("memory", "memory"), 0u);
  EXPECT_EQ(typing_distance("memroy", "memory"), 1u) << "neighbours swapped";
  EXPECT_EQ(typing_distance("memry", "memory"), 1u);
  EXPECT_EQ(typing_distance("memmory", "memory"), 1u);
  EXPECT_EQ(typing_distance("nemory", "memory"), 1u);
  EXPECT_EQ(typing_distance("", "abc"), 3u);
}

TEST(Nearest, IsWhatWasMeant) {
  const std::vector<std::string> names{"max_memory", "max_requests", "workers", "why", "pin"};
  EXPECT_EQ(nearest("max_memroy", names), "max_memory");
  EXPECT_EQ(nearest("max-memory", names), "max_memory");
  EXPECT_EQ(nearest("maxMemory", names), "max_memory");
  EXPECT_EQ(nearest("worker", names), "workers");
  EXPECT_EQ(nearest("WORKERS", names), "workers");
}

TEST(Nearest, IsNothingWhenNothingIsNear) {
  const std::vector<std::string> names{"max_memory", "workers", "why", "pin"};
  EXPECT_FALSE(nearest("watch", names));
  EXPECT_FALSE(nearest("p", names));
  EXPECT_FALSE(nearest("", names));
  EXPECT_FALSE(nearest("port", names));
  EXPECT_EQ(did_you_mean("watch", names), "");
  EXPECT_EQ(did_you_mean("wokers", names), "; did you mean \"workers\"?");
}

}  // namespace
}  // namespace muster::cli
