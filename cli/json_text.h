// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace muster::cli {

// JSON as text. Bytes that are no UTF-8, which a line of a worker may have, become U+FFFD.
inline std::string json_text(const nlohmann::json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Whether it nests deeper than anybody writes: what reads and writes JSON calls itself for each level.
bool is_too_deep(std::string_view json);

// What somebody else has written. Null when it is no JSON, or nests too deep.
nlohmann::json parse_json(std::string_view text);

// Bytes that have to come back as they were: text where they are UTF-8, else a list of numbers.
nlohmann::json bytes_to_json(const std::string& bytes);
std::string bytes_from_json(const nlohmann::json& json);

// A member of what somebody else has written: what it would be by default where it is missing or of another kind.
inline std::string text_member(const nlohmann::json& json, const char* name, std::string_view otherwise = {}) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>() : std::string(otherwise);
}
inline bool flag_member(const nlohmann::json& json, const char* name) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  return json.is_object() && found != json.end() && found->is_boolean() && found->get<bool>();
}

}  // namespace muster::cli
