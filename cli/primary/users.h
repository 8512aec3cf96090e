// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

#include <muster/settings.h>

namespace muster::cli {

// By name or number. Nothing when there is none of that name.
std::optional<int> user_id(const std::string& user);
std::optional<int> group_id(const std::string& group);
// The group that a user is in first.
std::optional<int> group_of(const std::string& user);
// What its environment says of a user: HOME, USER, LOGNAME, SHELL, PATH. What the environment of another user says, and means
// nothing to this one, is unset.
Env environment_of(const std::string& user);

}  // namespace muster::cli
