// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include <muster/address.h>
#include "core/wire.h"

namespace muster::detail {

// Empty for a Unix socket, which has no name of this kind.
inline std::optional<Address> to_address(const std::optional<core::wire::SocketName>& name) {
  if (!name) return std::nullopt;
  return Address{name->ipv6 ? AddressType::tcp6 : AddressType::tcp4, name->address, name->port};
}

}  // namespace muster::detail
