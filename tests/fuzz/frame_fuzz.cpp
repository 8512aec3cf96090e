// SPDX-License-Identifier: MIT
// Any bytes, cut anywhere, give the same frames as the whole; no more is kept than came.

#include <cstdlib>
#include <string>
#include <vector>

#include "core/frame.h"

using muster::Serialization;
using muster::core::FrameReader;

namespace {

constexpr std::size_t max_frame = 4096;

// What a reader says of bytes that come in pieces of this size.
std::vector<std::string> read(Serialization serialization, std::string_view bytes, std::size_t piece) {
  FrameReader reader(serialization, max_frame);
  std::vector<std::string> said;
  while (!bytes.empty()) {
    const std::size_t size = std::min(piece, bytes.size());
    // A copy of its own, so that a reader which looks beyond it is noticed.
    const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    bytes.remove_prefix(size);
    reader.feed({part.data(), part.size()});
    for (;;) {
      const auto next = reader.next();
      if (const auto* frame = std::get_if<FrameReader::Frame>(&next)) {
        said.emplace_back(frame->bytes);
      } else if (const auto* malformed = std::get_if<FrameReader::Malformed>(&next)) {
        said.push_back("malformed " + std::to_string(static_cast<int>(malformed->code)));
        return said;
      } else {
        break;
      }
    }
  }
  if (reader.partial()) said.emplace_back("partial");
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Serialization serialization = data[0] % 2 == 0 ? Serialization::json : Serialization::advanced;
  const std::size_t piece = data[1] % 16 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (read(serialization, bytes, piece) != read(serialization, bytes, bytes.size())) std::abort();
  return 0;
}
