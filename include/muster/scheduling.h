// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string_view>

namespace muster {

// How new connections reach the workers of a listening socket.
enum class SchedulingPolicy {
  // The workers share the socket and the system decides. Cheapest in the primary, often unbalanced.
  none = 1,
  // The primary accepts and deals to the workers in the order they became free. The default.
  round_robin = 2,
  // The primary accepts and gives each connection to the worker that has the fewest open. Of a worker that is not muster's the
  // primary counts the open descriptors instead.
  least_connections,
  // The primary accepts, and connections from one address go to one worker as long as that listens; which, depends on the
  // address only. A worker's successor takes over its addresses.
  ip_hash,
  // Every worker has a listening socket of its own and a program in the kernel deals, to the worker that lags behind least.
  // Costs the primary nothing. It needs privileges; where it has none, round_robin takes its place, which
  // Cluster::on_policy_unavailable() tells.
  kernel,
  // A function of the program decides: Cluster::set_scheduling_policy().
  custom,
};

// Node's names and values for them.
inline constexpr auto sched_none = SchedulingPolicy::none;       // cluster.SCHED_NONE
inline constexpr auto sched_rr = SchedulingPolicy::round_robin;  // cluster.SCHED_RR

// Reads what NODE_CLUSTER_SCHED_POLICY may hold: Node's "rr" and "none", and "least_connections", "ip_hash" and "kernel". Empty
// for anything else, for which Node takes round robin.
std::optional<SchedulingPolicy> scheduling_policy_from_name(std::string_view name);

}  // namespace muster
