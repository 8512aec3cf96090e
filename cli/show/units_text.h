// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::cli {

// Numbers as a person reads them: two units at most, three digits or so.

std::string counted(std::uint64_t count, std::string_view noun);  // "1 worker", "4 workers"
std::string duration_text(std::int64_t milliseconds);             // "3d 4h", "2m 5s", "1.4s", "812ms"
std::string bytes_text(std::uint64_t bytes);                      // "12.4 MiB"
std::string percent_text(double percent);                         // "7.5%", "112%"
std::string count_text(double count);                             // "950", "1.2k", "3.4M"
std::string rate_text(double per_second);                         // "0/s", "0.5/s", "1.2k/s"
std::string lag_text(double milliseconds);                        // "0.4ms", "12ms", "2.1s"
std::string time_text(std::int64_t milliseconds_of_epoch);        // "2024-05-31 14:02:11", local

}  // namespace muster::cli
