// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <muster/settings.h>

namespace muster::cli {

// What `listen` names: a socket that the primary binds for an app without a channel.
struct ListenUrl {
  enum class Type { tcp, unix_stream, udp };
  Type type = Type::tcp;
  ListenOptions options = {};  // port and host, or path; an empty host is every address
};

// tcp://host:port tcp://[::]:port unix:/path udp://host:port. `*` for the host is every address, and port 0 a free one.
std::optional<ListenUrl> parse_listen(std::string_view text);
// As parse_listen() reads it.
std::string to_string(const ListenUrl& url);

// 80, host:port, [::1]:port or unix:/path: what a worker may listen on.
std::optional<ListenOptions> parse_may_listen(std::string_view text);

struct HostPort {
  std::string host;  // without brackets
  int port = 0;
};

// host:port [::1]:port.
std::optional<HostPort> parse_host_port(std::string_view text);

}  // namespace muster::cli
