// SPDX-License-Identifier: MIT
#include "json_text.h"

#include "show/printable.h"

namespace muster::cli {

bool is_too_deep(std::string_view json) {
  constexpr int deepest = 100;
  int depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_text) {
      if (c == '\\') ++i;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '[' || c == '{') {
      if (++depth > deepest) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

nlohmann::json parse_json(std::string_view text) {
  if (is_too_deep(text)) return nullptr;
  auto json = nlohmann::json::parse(text, nullptr, false);
  return json.is_discarded() ? nlohmann::json(nullptr) : json;
}

nlohmann::json bytes_to_json(const std::string& bytes) {
  if (valid_utf8(bytes) == bytes) return bytes;
  return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
}

std::string bytes_from_json(const nlohmann::json& json) {
  if (!json.is_array()) return json.get<std::string>();
  const auto bytes = json.get<std::vector<std::uint8_t>>();
  return {bytes.begin(), bytes.end()};
}

}  // namespace muster::cli
