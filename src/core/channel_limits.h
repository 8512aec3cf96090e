// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/limits.h"

namespace muster::core {

// What one end of a channel bears with from the other.
struct ChannelLimits {
  // Bytes of a message that the other sends. A larger one ends the channel, or is left out.
  std::size_t max_message = std::size_t{512} << 20;
  bool skip_large = false;
  // Values in it: see default_max_values.
  std::size_t max_values = default_max_values;
  // From so many bytes on a message is decoded apart from the loop, so that it keeps no other waiting. 0: never.
  std::size_t decode_apart = 0;
  // Bytes kept for an other that does not read. Whatever its size, a message goes in when less than this is kept.
  std::size_t max_queue = std::size_t{256} << 20;
  // How long the other may leave a descriptor unacknowledged. 0: for ever.
  std::uint64_t acknowledgement_ms = 60'000;
};

}  // namespace muster::core
