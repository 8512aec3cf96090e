#include <muster/scheduling.h>

namespace muster {

std::optional<SchedulingPolicy> scheduling_policy_from_name(std::string_view name) {
  if (name == "rr") return SchedulingPolicy::round_robin;
  if (name == "none") return SchedulingPolicy::none;
  return std::nullopt;
}

}  // namespace muster
