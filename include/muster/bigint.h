// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

// A JavaScript bigint: a whole number of any size. It is carried, compared and converted; for
// arithmetic convert it.
class BigInt {
 public:
  BigInt() = default;  // 0n
  template <std::integral N>
  explicit BigInt(N number) : BigInt(number < 0, magnitude_of(number)) {}
  // The magnitude in pieces of 64 bits, the least significant first. There is no minus zero.
  BigInt(bool negative, std::vector<std::uint64_t> limbs);

  // "-18446744073709551616". Empty when the text is anything but digits behind an optional minus.
  static std::optional<BigInt> from_string(std::string_view decimal);
  std::string to_string() const;

  // Empty when the number does not fit.
  std::optional<std::int64_t> to_int64() const;
  std::optional<std::uint64_t> to_uint64() const;

  bool is_zero() const { return limbs_.empty(); }
  bool negative() const { return negative_; }
  // The magnitude as in the constructor, without leading zeros.
  const std::vector<std::uint64_t>& limbs() const { return limbs_; }

  friend bool operator==(const BigInt&, const BigInt&) = default;

 private:
  template <std::integral N>
  static std::vector<std::uint64_t> magnitude_of(N number) {
    const auto bits = static_cast<std::uint64_t>(number);
    return {number < 0 ? 0 - bits : bits};
  }

  std::vector<std::uint64_t> limbs_;
  bool negative_ = false;
};

}  // namespace muster
