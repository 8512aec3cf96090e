// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace muster::core {

// How deep arrays, objects and what else holds values may nest in a message, both ways.
inline constexpr int max_depth = 1000;

// No Node can read more: the longest string of V8, and the largest length before which Node's sign bit is.
inline constexpr std::size_t max_string = 0x1fffffe8;
inline constexpr std::size_t max_payload = 0x7fffffff;

// How many values a message may have, with those in it, where nobody says otherwise. An empty array is two bytes on the wire
// and a hundred here.
inline constexpr std::size_t default_max_values = std::size_t{1} << 22;
inline constexpr std::size_t any_number_of_values = SIZE_MAX;

// How many connections a muster worker may have to answer for, all its servers together: a slot for each on its load board.
inline constexpr std::size_t offer_slots = 448;

// What was read, or nothing: it is malformed, or has more values than may be read.
template <class T>
struct Reading : std::optional<T> {
  using std::optional<T>::optional;
  bool too_many_values = false;

  // A template, so that no value is converted to a Reading for it: std::optional compares with those.
  template <std::same_as<Reading> Same>
  friend bool operator==(const Same& a, const Same& b) {
    return static_cast<const std::optional<T>&>(a) == static_cast<const std::optional<T>&>(b);
  }
};

// What became of a value that was to be written.
enum class Written {
  whole,
  too_deep,    // nests deeper than max_depth; a circle does in JSON
  has_bigint,  // which JSON cannot hold
  too_long,    // for a Node that is to read it
};

}  // namespace muster::core
