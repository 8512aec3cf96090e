// SPDX-License-Identifier: MIT
// Any text is read or refused; what is read is written as text that reads back to the same.

#include <cstdlib>
#include <string>

#include "core/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto value = muster::core::parse_json(text);
  if (!value) return 0;
  std::string written;
  if (muster::core::write_json(*value, written) != muster::core::Written::whole) std::abort();
  const auto again = muster::core::parse_json(written);
  std::string written_again;
  // 1e400 is read as infinity and written as null: compare the texts.
  if (!again || muster::core::write_json(*again, written_again) != muster::core::Written::whole) std::abort();
  if (written_again != written) std::abort();
  return 0;
}
