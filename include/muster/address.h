// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

// Node's `addressType`, with Node's values for the stream types. `tcp4` also stands for "no address
// given", which listens on both families where the machine has both.
enum class AddressType : std::int8_t { pipe = -1, tcp4 = 4, tcp6 = 6, udp4 = 14, udp6 = 16 };

// "4", "6", "-1", "udp4", "udp6": as Node prints them.
std::string_view to_string(AddressType type);

// Where a server listens, as the `listening` event tells it.
struct Address {
  AddressType type = AddressType::tcp4;
  // What the worker asked for: empty when it named no host. A path for AddressType::pipe.
  std::optional<std::string> address;
  // The real port, also when 0 was asked for. -1 for a pipe, absent for a descriptor.
  std::optional<int> port;

  friend bool operator==(const Address&, const Address&) = default;
};

// "127.0.0.1:8000", "[::1]:8000", "null:8000" when no host was named, or the path.
std::string to_string(const Address& address);
std::ostream& operator<<(std::ostream& out, const Address& address);

}  // namespace muster
