// SPDX-License-Identifier: MIT
#include "core/policy.h"

#include <algorithm>
#include <tuple>

namespace muster::core::policy {
namespace {

// Every bit of the result depends on every bit of the number (the finalizer of SplitMix64).
std::uint64_t mixed(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

}  // namespace

std::size_t least_connections(const std::vector<Share>& shares) {
  const auto less = [](const Share& a, const Share& b) {
    return std::tie(a.connections, a.dealt) < std::tie(b.connections, b.dealt);
  };
  return static_cast<std::size_t>(std::min_element(shares.begin(), shares.end(), less) - shares.begin());
}

std::size_t ip_hash(std::uint64_t client, const std::vector<std::uint32_t>& seats) {
  const std::uint64_t drawn = mixed(client);
  std::size_t winner = 0;
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < seats.size(); ++i) {
    const std::uint64_t draw = mixed(drawn ^ mixed(seats[i]));
    if (i == 0 || draw > highest) {
      winner = i;
      highest = draw;
    }
  }
  return winner;
}

}  // namespace muster::core::policy
