#include "json_text.h"

#include "core/utf8.h"

namespace muster::cli {

nlohmann::json bytes_to_json(const std::string& bytes) {
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::size_t length = core::utf8_sequence(rest);
    if (length == 0) return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
    rest.remove_prefix(length);
  }
  return bytes;
}

std::string bytes_from_json(const nlohmann::json& json) {
  if (!json.is_array()) return json.get<std::string>();
  const auto bytes = json.get<std::vector<std::uint8_t>>();
  return {bytes.begin(), bytes.end()};
}

}  // namespace muster::cli
