#pragma once

#include <optional>
#include <string>

namespace muster::cli {

// By name or number. Nothing when there is none of that name.
std::optional<int> user_id(const std::string& user);
std::optional<int> group_id(const std::string& group);
// The group that a user is in first.
std::optional<int> group_of(const std::string& user);

}  // namespace muster::cli
