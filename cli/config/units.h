// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

// What people write for amounts. Each is empty for anything it does not understand.

// 500ms 30s 1.5m 2h 1d; without a unit, seconds.
// A hundred years: clocks count in nanoseconds, and have no room for much more.
inline constexpr std::chrono::milliseconds longest_duration = std::chrono::hours(24 * 36'500);
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// 512K 200M 1.5G 1T, also KB KiB ..., each 1024 of the one before; without a unit, bytes.
std::optional<std::uint64_t> parse_size(std::string_view text);
// Digits only.
std::optional<std::uint64_t> parse_count(std::string_view text);
// true yes on 1, false no off 0.
std::optional<bool> parse_switch(std::string_view text);

// The shortest text that is read as the same amount: "90s", "500ms", "10M".
std::string format_duration(std::chrono::milliseconds duration);
std::string format_size(std::uint64_t bytes);

// Splits at spaces, as a shell does: quotes hold a word together, a backslash takes a character as it is.
std::vector<std::string> split_words(std::string_view text);
// The other way round.
std::string join_words(const std::vector<std::string>& words);

}  // namespace muster::cli
