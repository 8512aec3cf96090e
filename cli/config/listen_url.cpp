// SPDX-License-Identifier: MIT
#include "config/listen_url.h"

#include <fmt/format.h>

#include "config/units.h"

namespace muster::cli {
namespace {

bool take(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<HostPort> parse_host_port(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_count(text.substr(colon + 1));
  if (!port || *port > 65535) return std::nullopt;
  auto host = text.substr(0, colon);
  if (!host.empty() && host.front() == '[') {
    if (host.size() < 4 || host.back() != ']') return std::nullopt;
    host = host.substr(1, host.size() - 2);
    if (host.find_first_not_of("0123456789abcdefABCDEF:.%") != std::string_view::npos &&
        host.find('%') == std::string_view::npos) {
      return std::nullopt;
    }
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // which of the colons is before the port?
  }
  if (host.empty() || host.find_first_of(" \t/[]@?#") != std::string_view::npos) return std::nullopt;
  return HostPort{std::string(host), static_cast<int>(*port)};
}

std::optional<ListenUrl> parse_listen(std::string_view text) {
  ListenUrl url;
  if (take(text, "unix:")) {
    take(text, "//");
    // What bind() has room for.
    if (text.empty() || text.size() > 107) return std::nullopt;
    url.type = ListenUrl::Type::unix_stream;
    url.options.path = text;
    return url;
  }
  if (take(text, "udp://")) {
    url.type = ListenUrl::Type::udp;
  } else if (!take(text, "tcp://")) {
    return std::nullopt;
  }
  const auto address = parse_host_port(text);
  if (!address) return std::nullopt;
  if (address->host != "*") url.options.host = address->host;
  url.options.port = address->port;
  return url;
}

std::optional<ListenOptions> parse_may_listen(std::string_view text) {
  ListenOptions options;
  if (text.starts_with("unix:")) {
    const auto url = parse_listen(text);
    if (!url) return std::nullopt;
    return url->options;
  }
  if (const auto address = parse_host_port(text)) {
    if (address->host != "*") options.host = address->host;
    options.port = address->port;
  } else if (const auto port = parse_count(text); port && *port <= 65535) {
    options.port = static_cast<int>(*port);
  }
  if (options.port.value_or(0) == 0) return std::nullopt;
  return options;
}

std::string to_string(const ListenUrl& url) {
  if (url.type == ListenUrl::Type::unix_stream) return "unix:" + url.options.path;
  const auto& host = url.options.host;
  const bool bracketed = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", url.type == ListenUrl::Type::udp ? "udp" : "tcp", bracketed ? "[" : "",
                     host.empty() ? "*" : host, bracketed ? "]" : "", url.options.port.value_or(0));
}

}  // namespace muster::cli
