#pragma once

#include <cstddef>
#include <cstdint>

namespace muster::core {

// What one end of a channel bears with from the other.
struct ChannelLimits {
  // Bytes of a message that the other sends.
  std::size_t max_message = std::size_t{512} << 20;
  // Bytes kept for an other that does not read. Whatever its size, a message goes in when less than this is kept.
  std::size_t max_queue = std::size_t{256} << 20;
  // How long the other may leave a descriptor unacknowledged. 0: for ever.
  std::uint64_t acknowledgement_ms = 60'000;
};

}  // namespace muster::core
