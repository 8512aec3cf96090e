// SPDX-License-Identifier: MIT
#include "json_text.h"

#include "show/printable.h"

namespace muster::cli {

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
