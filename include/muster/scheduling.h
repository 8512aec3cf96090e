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
};

// Node's names and values for them.
inline constexpr auto sched_none = SchedulingPolicy::none;       // cluster.SCHED_NONE
inline constexpr auto sched_rr = SchedulingPolicy::round_robin;  // cluster.SCHED_RR

// Reads what NODE_CLUSTER_SCHED_POLICY may hold: "rr", "none". Empty for anything else, for which
// Node takes round robin.
std::optional<SchedulingPolicy> scheduling_policy_from_name(std::string_view name);

}  // namespace muster
