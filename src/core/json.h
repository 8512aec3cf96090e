// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include <muster/value.h>
#include "core/limits.h"

namespace muster::core {

// JSON.parse by ECMAScript's rules: a lone surrogate and 1e400 are accepted, the last of duplicate
// keys wins, and bytes that are not UTF-8 become U+FFFD, as when Node decodes its channel.
// Empty when the text is not JSON, nests deeper than max_depth or has too many values.
Reading<Value> parse_json(std::string_view text, std::size_t max_values = any_number_of_values);

// JSON.stringify: appends to `out`, and leaves it as it was when the value cannot be written. What JSON
// cannot hold is left out of objects and is null in arrays; an undefined top level is null.
Written write_json(const Value& value, std::string& out);

// Whether `value` holds nothing but what JSON has, nothing twice, and arrays and objects at most `levels`
// deep. Such a value can be written in every serialization.
bool is_plain_tree(const Value& value, int levels);

// Appends `text` as a JSON string, quotes included.
void write_json_string(std::string_view text, std::string& out);

}  // namespace muster::core
