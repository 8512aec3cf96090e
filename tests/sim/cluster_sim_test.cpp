// SPDX-License-Identifier: MIT
#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sim/shrink.h"
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

// A world of the choices that another one made is that one again.
TEST(Replay, RepeatsAWorldStepByStep) {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5, 6, 7}) {
    std::vector<std::string> first, second;
    World world(seed);
    world.set_trace([&](int step, const std::string& line) { first.push_back(std::to_string(step) + " " + line); });
    EXPECT_FALSE(world.run());
    World again(seed, Choices(world.choices().made()));
    again.set_trace([&](int step, const std::string& line) { second.push_back(std::to_string(step) + " " + line); });
    EXPECT_FALSE(again.run());
    EXPECT_GT(first.size(), 100U);
    EXPECT_EQ(first, second);
  }
}

// Any part of a world is a world too: so a failure can be shrunk.
TEST(Replay, HoldsInPartsOfAWorld) {
  World world(8);
  EXPECT_FALSE(world.run());
  for (std::size_t part = 2; part < 40; ++part) {
    auto steps = world.choices().made();
    for (std::size_t i = steps.size() - 1; i > 0; i -= std::min(i, part))
      steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(i - 1));
    const auto failure = World(8, Choices(steps)).run();
    EXPECT_FALSE(failure) << failure->to_string();
  }
}

TEST(Replay, ShrinksToTheStepsThatAreNeeded) {
  std::vector<Choices::Step> steps;
  for (std::uint64_t i = 0; i < 1000; ++i) steps.push_back({i});
  const auto needs = [](const std::vector<Choices::Step>& some) {
    const auto has = [&](std::uint64_t number) {
      return std::find(some.begin(), some.end(), Choices::Step{number}) != some.end();
    };
    return has(17) && has(500) && has(501) && has(999);
  };
  EXPECT_EQ(shrink(steps, needs), (std::vector<Choices::Step>{{17}, {500}, {501}, {999}}));
}

}  // namespace
}  // namespace muster::sim
