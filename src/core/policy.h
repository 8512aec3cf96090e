// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Who gets a connection, where it is not simply the one that has waited longest.
namespace muster::core::policy {

// What each of them has, and how many it was dealt before; there is at least one. The index of the one that has the fewest; of
// equals the one that was dealt the fewest, the first of those.
struct Share {
  std::size_t connections;
  std::uint64_t dealt;
};
std::size_t least_connections(const std::vector<Share>& shares);

// Where each of them sits; there is at least one. The index of the one that this client belongs to: always the same while that
// one sits there, whoever else comes and goes (rendezvous hashing: each seat draws a number for the client, the highest wins).
std::size_t ip_hash(std::uint64_t client, const std::vector<std::uint32_t>& seats);

}  // namespace muster::core::policy
