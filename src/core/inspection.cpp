// SPDX-License-Identifier: MIT
#include "core/inspection.h"

#include <algorithm>
#include <charconv>

#include <muster/error.h>

namespace muster::core {
namespace {

constexpr int default_port = 9229;
constexpr int min_port = 1024;
constexpr int max_port = 65535;
constexpr std::string_view default_host = "127.0.0.1";

bool asks(std::string_view text) {
  return text.find("--inspect") != std::string_view::npos || text.find("--debug-port") != std::string_view::npos;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) result.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result;
}

std::optional<int> port_number(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 0 || port > max_port) return std::nullopt;
  return port;
}

// `--inspect=[host:]port` and its like change what is given; a later one wins.
void read_option(std::string_view option, Inspection& inspection) {
  const std::size_t equals = option.find('=');
  if (!asks(option) || equals == std::string_view::npos) return;
  const std::string_view value = option.substr(equals + 1);
  const std::size_t colon = value.rfind(':');
  if (const auto port = port_number(colon == std::string_view::npos ? value : value.substr(colon + 1))) {
    inspection.port = *port;
    if (colon != std::string_view::npos) inspection.host = value.substr(0, colon);
  } else {
    inspection.host = value;
  }
}

}  // namespace

bool asks_to_inspect(const Settings& settings, std::string_view node_options) {
  return asks(node_options) ||
         (settings.exec_argv && std::any_of(settings.exec_argv->begin(), settings.exec_argv->end(), asks));
}

std::optional<Inspection> InspectPorts::next(const Settings& settings, std::string_view node_options,
                                             std::optional<int> chosen) {
  if (!asks_to_inspect(settings, node_options)) return std::nullopt;
  const std::vector<std::string> exec_argv = settings.exec_argv.value_or(std::vector<std::string>());

  // What the primary was told is where counting starts; of what the workers are told only the host is kept, as in Node.
  Inspection inspection{std::string(default_host), default_port};
  for (const std::string_view option : words(node_options)) read_option(option, inspection);
  const int own_port = inspection.port;
  for (const std::string& option : exec_argv) read_option(option, inspection);

  if (chosen) {
    inspection.port = *chosen;
    if (inspection.port < 0 || inspection.port > max_port) {
      throw Exception(Errc::socket_bad_port,
                      "settings.inspect_port should be >= 0 and < 65536. Received " + std::to_string(inspection.port) + ".");
    }
    return inspection;
  }
  inspection.port = own_port + offset_++;
  if (inspection.port > max_port) inspection.port += min_port - max_port - 1;
  return inspection;
}

}  // namespace muster::core
