// SPDX-License-Identifier: MIT
// Any bytes, cut anywhere, give the same requests as the whole.

#include <cstdlib>
#include <string>
#include <vector>

#include "http1/request_reader.h"

using muster::http1::RequestReader;

namespace {

// What a reader says of bytes that come in pieces of this size: heads, the bodies in one, and the end.
std::string read(std::string_view bytes, std::size_t piece) {
  RequestReader reader({.max_head = 1024, .max_body = 4096});
  std::string said;
  while (!bytes.empty()) {
    const std::size_t size = std::min(piece, bytes.size());
    const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    bytes.remove_prefix(size);
    reader.feed({part.data(), part.size()});
    for (;;) {
      auto next = reader.next();
      if (auto* head = std::get_if<RequestReader::Head>(&next)) {
        said += "\nhead " + std::string(head->head->method) + " " + std::string(head->head->target);
        for (const auto& [name, value] : head->head->headers) said += " " + std::string(name) + ":" + std::string(value);
        said += "\nbody ";
      } else if (const auto* body = std::get_if<RequestReader::Body>(&next)) {
        said += body->bytes;
      } else if (std::holds_alternative<RequestReader::End>(next)) {
        said += "\nend";
      } else if (const auto* bad = std::get_if<RequestReader::Bad>(&next)) {
        return said + "\nbad " + std::to_string(bad->status);
      } else {
        break;
      }
    }
  }
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t piece = data[0] % 32 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (read(bytes, piece) != read(bytes, bytes.size())) std::abort();
  return 0;
}
