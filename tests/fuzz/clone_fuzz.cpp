// SPDX-License-Identifier: MIT
// Any bytes are read or refused; what is read is written as bytes that read back to the same, and nothing of it leaks.

#include <cstdlib>
#include <string>

#include "core/clone.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string frame(reinterpret_cast<const char*>(data), size);
  const auto value = muster::core::parse_clone(frame);
  if (!value) return 0;
  std::string written;
  if (muster::core::write_clone(*value, written) != muster::core::Written::whole) std::abort();
  const auto again = muster::core::parse_clone(written);
  std::string written_again;
  if (!again || muster::core::write_clone(*again, written_again) != muster::core::Written::whole) std::abort();
  // NaN is not equal to itself: compare the bytes.
  if (written_again != written) std::abort();
  static_cast<void>(value->clone() == *value);
  return 0;
}
