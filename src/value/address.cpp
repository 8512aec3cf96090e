// SPDX-License-Identifier: MIT
#include <muster/address.h>
#include <ostream>

namespace muster {

std::string_view to_string(AddressType type) {
  switch (type) {
    case AddressType::pipe: return "-1";
    case AddressType::tcp4: return "4";
    case AddressType::tcp6: return "6";
    case AddressType::udp4: return "udp4";
    case AddressType::udp6: return "udp6";
  }
  return "4";
}

std::string to_string(const Address& address) {
  std::string host = address.address.value_or("null");
  if (address.type == AddressType::pipe) return host;
  const bool bracketed = host.find(':') != std::string::npos;
  std::string text = bracketed ? "[" + host + "]" : host;
  if (address.port) text += ":" + std::to_string(*address.port);
  return text;
}

std::ostream& operator<<(std::ostream& out, const Address& address) { return out << to_string(address); }

}  // namespace muster
