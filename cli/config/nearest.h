// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

// How many letters to add, drop, change or swap with their neighbour to make one word of the other.
std::size_t typing_distance(std::string_view left, std::string_view right);

// What somebody meant who typed `word`: the closest of the names, if it is close enough to be a slip of the fingers. Letters
// may differ in case, and - is _.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& names);

// `; did you mean "name"?`, or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

}  // namespace muster::cli
