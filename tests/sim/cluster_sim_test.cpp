// SPDX-License-Identifier: MIT
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "sim/world.h"

namespace muster::sim {
namespace {

// A sanitizer makes each world some thirty times slower, and is not looking for what a seed decides.
#ifdef MUSTER_SANITIZED
constexpr std::uint64_t worlds = 1000;
#else
constexpr std::uint64_t worlds = 10000;
#endif

TEST(Cluster, KeepsItsPropertiesInTenThousandWorlds) {
  for (std::uint64_t seed = 1; seed <= worlds; ++seed) {
    const auto failure = World(seed).run();
    ASSERT_FALSE(failure) << failure->to_string() << "\nreplay it with: build/release/bin/replay " << seed;
  }
}

// tests/sim/seeds holds every seed that once showed a bug, with what it was.
TEST(Cluster, KeepsItsPropertiesInTheWorldsThatOnceBrokeThem) {
  std::ifstream file(MUSTER_SOURCE_DIR "/tests/sim/seeds");
  ASSERT_TRUE(file);
  std::uint64_t seed = 0;
  std::string story;
  while (file >> seed && std::getline(file, story)) {
    const auto failure = World(seed).run();
    EXPECT_FALSE(failure) << failure->to_string() << " (" << story << ")";
  }
}

}  // namespace
}  // namespace muster::sim
