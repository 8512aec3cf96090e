// SPDX-License-Identifier: MIT
#include <muster/scheduling.h>

namespace muster {

std::optional<SchedulingPolicy> scheduling_policy_from_name(std::string_view name) {
  if (name == "rr") return SchedulingPolicy::round_robin;
  if (name == "none") return SchedulingPolicy::none;
  if (name == "least_connections") return SchedulingPolicy::least_connections;
  if (name == "ip_hash") return SchedulingPolicy::ip_hash;
  if (name == "kernel") return SchedulingPolicy::kernel;
  return std::nullopt;
}

}  // namespace muster
