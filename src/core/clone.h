// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include <muster/value.h>
#include "core/limits.h"

namespace muster::core {

// V8's structured clone format, as Node frames it for `advanced` serialization: what v8.Deserializer does
// in a Node that reads from its channel. Versions 13 to 15; what comes after the value is ignored. Empty
// when it is none of that, nests deeper than max_depth or has too many values.
//
// What a peer can make us allocate is proportional to the frame: all arrays together have at most as many
// elements as the frame has bytes, and as many holes again, or 2^20 of them if that is more.
//
// Properties of arrays that are not elements are dropped. A reference to what it is inside of is weak: see
// Value.
Reading<Value> parse_clone(std::string_view frame, std::size_t max_values = any_number_of_values);

// What v8.Serializer writes, so that every Node since 18 reads it; circles and shared references stay
// what they are. Appends to `out`, and leaves it as it was when the value cannot be written.
Written write_clone(const Value& value, std::string& out);

}  // namespace muster::core
