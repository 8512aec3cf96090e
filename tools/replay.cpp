// SPDX-License-Identifier: MIT
// Replays one simulated world, or looks for a seed that breaks a property: replay SEED [LAST]. Of a world that fails it prints
// what happened, without the steps that are not needed for that.

#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "sim/shrink.h"
#include "sim/world.h"

namespace {

using muster::sim::Choices;
using muster::sim::World;

void explain(std::uint64_t seed, const muster::sim::Failure& failure, const std::vector<Choices::Step>& steps) {
  const auto fails = [&](const std::vector<Choices::Step>& some) {
    const auto again = World(seed, Choices(some)).run();
    return again && again->property == failure.property;
  };
  const auto few = muster::sim::shrink(steps, fails);
  World world(seed, Choices(few));
  world.set_trace([](int step, const std::string& line) { fmt::print("{:5}  {}\n", step, line); });
  const auto last = world.run();
  fmt::print("{}\n{} of {} steps are needed for: {}\n", failure.to_string(), few.size() - 1, steps.size() - 1,
             last ? last->to_string() : "nothing");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string option = argc > 1 ? argv[1] : "";
  const bool trace = option == "--trace";
  const int words = argc - (trace ? 1 : 0);
  if (words < 2 || words > 3) {
    fmt::print(stderr,
               "usage: replay SEED          runs the world of that seed, and explains its failure\n"
               "       replay FIRST LAST    runs many, up to the first that fails\n"
               "       replay --trace SEED  prints all that happens in it\n");
    return 2;
  }
  char** numbers = argv + (trace ? 2 : 1);
  const std::uint64_t first = std::strtoull(numbers[0], nullptr, 10);
  const std::uint64_t last = words == 3 ? std::strtoull(numbers[1], nullptr, 10) : first;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    World world(seed, Choices(seed));
    if (trace) world.set_trace([](int step, const std::string& line) { fmt::print("{:5}  {}\n", step, line); });
    if (const auto failure = world.run()) {
      explain(seed, *failure, world.choices().made());
      return 1;
    }
  }
  fmt::print("{} held\n", last - first + 1);
}
