// SPDX-License-Identifier: MIT
#include <muster/builtins.h>

#include <cmath>
#include <cstdio>
#include <limits>

namespace muster {
namespace {

using Clock = std::chrono::system_clock;
using Milliseconds = std::chrono::milliseconds;

constexpr double latest_date = 8.64e15;

struct Civil {
  std::int64_t year;
  int month, day;
};

// The Gregorian calendar, for days since 1970. Years begin in March here, so that a leap day is a year's last.
Civil civil(std::int64_t days) {
  constexpr std::int64_t days_in_era = 146097;  // 400 years
  days += 719468;                               // since 1 March of the year 0
  const std::int64_t era = (days >= 0 ? days : days - (days_in_era - 1)) / days_in_era;
  const std::int64_t day_of_era = days - era * days_in_era;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  const int day = static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

double from_half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f;
  const int fraction = bits & 0x3ff;
  double magnitude = 0;
  if (exponent == 0x1f) {
    magnitude = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(fraction, -24);
  } else {
    magnitude = std::ldexp(fraction + 0x400, exponent - 25);
  }
  return bits & 0x8000 ? -magnitude : magnitude;
}

template <class T>
T load(const std::string& bytes, std::size_t index) {
  T element;
  std::memcpy(&element, bytes.data() + index * sizeof(T), sizeof(T));
  return element;
}

}  // namespace

Date::Date(Clock::time_point time)
    : milliseconds(static_cast<double>(std::chrono::floor<Milliseconds>(time).time_since_epoch().count())) {}

std::optional<Clock::time_point> Date::time_point() const {
  constexpr auto limit = static_cast<double>(std::chrono::floor<Milliseconds>(Clock::duration::max()).count());
  if (!(std::fabs(milliseconds) < limit)) return std::nullopt;
  return Clock::time_point(Milliseconds(static_cast<std::int64_t>(milliseconds)));
}

std::string Date::to_iso_string() const {
  if (!(std::fabs(milliseconds) <= latest_date)) return {};
  constexpr std::int64_t day_length = 86'400'000;
  const auto time = static_cast<std::int64_t>(milliseconds);
  const std::int64_t days = time / day_length - (time % day_length < 0 ? 1 : 0);
  const auto rest = static_cast<int>(time - days * day_length);
  const Civil date = civil(days);
  const bool four_digits = date.year >= 0 && date.year <= 9999;
  char text[64];
  std::snprintf(text, sizeof text,
                four_digits ? "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ" : "%+07lld-%02d-%02dT%02d:%02d:%02d.%03dZ",
                static_cast<long long>(date.year), date.month, date.day, rest / 3'600'000, rest / 60'000 % 60, rest / 1000 % 60,
                rest % 1000);
  return text;
}

std::size_t View::element_size() const {
  switch (type) {
    case Type::int8:
    case Type::uint8:
    case Type::uint8_clamped:
    case Type::data_view:
    case Type::buffer: return 1;
    case Type::int16:
    case Type::uint16:
    case Type::float16: return 2;
    case Type::int32:
    case Type::uint32:
    case Type::float32: return 4;
    case Type::float64:
    case Type::bigint64:
    case Type::biguint64: return 8;
  }
  return 1;
}

double View::number_at(std::size_t index) const {
  if (index >= length()) return std::numeric_limits<double>::quiet_NaN();
  switch (type) {
    case Type::int8: return load<std::int8_t>(bytes, index);
    case Type::uint8:
    case Type::uint8_clamped:
    case Type::data_view:
    case Type::buffer: return load<std::uint8_t>(bytes, index);
    case Type::int16: return load<std::int16_t>(bytes, index);
    case Type::uint16: return load<std::uint16_t>(bytes, index);
    case Type::int32: return load<std::int32_t>(bytes, index);
    case Type::uint32: return load<std::uint32_t>(bytes, index);
    case Type::float16: return from_half(load<std::uint16_t>(bytes, index));
    case Type::float32: return load<float>(bytes, index);
    case Type::float64: return load<double>(bytes, index);
    case Type::bigint64: return static_cast<double>(load<std::int64_t>(bytes, index));
    case Type::biguint64: return static_cast<double>(load<std::uint64_t>(bytes, index));
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace muster
