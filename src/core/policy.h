#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Who gets a connection, where it is not simply the one that has waited longest.
namespace muster::core::policy {

// How many connections each of them has; there is at least one. The index of the one with the fewest, the first of equals.
std::size_t least_connections(const std::vector<std::size_t>& connections);

// Where each of them sits; there is at least one. The index of the one that this client belongs to: always the same while that
// one sits there, whoever else comes and goes (rendezvous hashing: each seat draws a number for the client, the highest wins).
std::size_t ip_hash(std::uint64_t client, const std::vector<std::uint32_t>& seats);

}  // namespace muster::core::policy
