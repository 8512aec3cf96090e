// SPDX-License-Identifier: MIT
// Replays one simulated world, or looks for a seed that breaks a property: replay SEED [LAST].

#include <cstdlib>

#include <fmt/core.h>

#include "sim/world.h"

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    fmt::print(stderr,
               "usage: replay SEED        runs the world of that seed\n       replay FIRST LAST  runs many, up to the first "
               "that fails\n");
    return 2;
  }
  const std::uint64_t first = std::strtoull(argv[1], nullptr, 10);
  const std::uint64_t last = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : first;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    if (const auto failure = muster::sim::World(seed).run()) {
      fmt::print("{}\n", failure->to_string());
      return 1;
    }
  }
  fmt::print("{} held\n", last - first + 1);
}
