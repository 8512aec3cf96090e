#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <muster/value.h>

namespace muster::core {

// How deep arrays and objects may nest in a message, both ways.
inline constexpr int max_depth = 1000;

// JSON.parse by ECMAScript's rules: a lone surrogate and 1e400 are accepted, the last of duplicate
// keys wins, and bytes that are not UTF-8 become U+FFFD, as when Node decodes its channel.
// Empty when the text is not JSON or nests deeper than max_depth.
std::optional<Value> parse_json(std::string_view text);

// JSON.stringify: appends to `out`. What JSON cannot hold is left out of objects and is null in
// arrays; an undefined top level is null. Returns false, with `out` as it was, when the value nests
// deeper than max_depth, which a circular one does.
bool write_json(const Value& value, std::string& out);

// Whether arrays and objects nest in `value` at most `levels` deep.
bool nests_within(const Value& value, int levels);

// Appends `text` as a JSON string, quotes included.
void write_json_string(std::string_view text, std::string& out);

}  // namespace muster::core
