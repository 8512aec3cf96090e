// SPDX-License-Identifier: MIT
#include "show/units_text.h"

#include <cmath>
#include <ctime>
#include <iterator>

#include <fmt/format.h>

namespace muster::cli {
namespace {

// The page has the same rules, and its halves go up as std::round()'s do.

// One digit after the point below ten, where it says something.
std::string short_number(double number) {
  const double tenths = std::round(number * 10) / 10;
  if (tenths < 10 && tenths != std::floor(tenths)) return fmt::format("{:.1f}", tenths);
  return fmt::format("{:.0f}", std::round(number));
}

// Like it, and below hundred: for numbers before a unit.
std::string scaled(double number) {
  if (number < 99.95) return fmt::format("{:.1f}", std::round(number * 10) / 10);
  return fmt::format("{:.0f}", std::round(number));
}

}  // namespace

std::string counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string duration_text(std::int64_t milliseconds) {
  if (milliseconds < 0) milliseconds = 0;
  if (milliseconds < 1000) return fmt::format("{} ms", milliseconds);
  const std::int64_t seconds = milliseconds / 1000;
  if (seconds < 10) return fmt::format("{}.{} s", seconds, milliseconds % 1000 / 100);
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h {}m", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{}d {}h", seconds / 86400, seconds % 86400 / 3600);
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  const char* const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto number = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; number >= 1023.5 && unit + 1 < std::size(units); ++unit) number /= 1024;
  return scaled(number) + " " + units[unit];
}

std::string percent_text(double percent) {
  if (!std::isfinite(percent)) return "-";
  return short_number(std::max(percent, 0.0)) + "%";
}

std::string count_text(double count) {
  if (!std::isfinite(count)) return "-";
  if (count < 999.5) return short_number(std::max(count, 0.0));
  const char units[] = {'k', 'M', 'G', 'T'};
  count /= 1000;
  std::size_t unit = 0;
  for (; count >= 999.5 && unit + 1 < std::size(units); ++unit) count /= 1000;
  return scaled(count) + units[unit];
}

std::string rate_text(double per_second) { return count_text(per_second) + "/s"; }

std::string lag_text(double milliseconds) {
  if (!std::isfinite(milliseconds)) return "-";
  if (milliseconds < 999.5) return short_number(std::max(milliseconds, 0.0)) + " ms";
  return duration_text(static_cast<std::int64_t>(std::llround(milliseconds)));
}

std::string time_text(std::int64_t milliseconds_of_epoch) {
  const auto time = static_cast<std::time_t>(milliseconds_of_epoch / 1000);
  std::tm local{};
  char text[64];
  if (!localtime_r(&time, &local) || std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local) == 0) return "-";
  return text;
}

}  // namespace muster::cli
