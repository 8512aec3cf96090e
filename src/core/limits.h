#pragma once

#include <cstddef>

namespace muster::core {

// How deep arrays, objects and what else holds values may nest in a message, both ways.
inline constexpr int max_depth = 1000;

// No Node can read more: the longest string of V8, and the largest length before which Node's sign bit is.
inline constexpr std::size_t max_string = 0x1fffffe8;
inline constexpr std::size_t max_payload = 0x7fffffff;

// How many connections a muster worker may have to answer for, all its servers together: a slot for each on its load board.
inline constexpr std::size_t offer_slots = 448;

// What became of a value that was to be written.
enum class Written {
  whole,
  too_deep,    // nests deeper than max_depth; a circle does in JSON
  has_bigint,  // which JSON cannot hold
  too_long,    // for a Node that is to read it
};

}  // namespace muster::core
