// SPDX-License-Identifier: MIT
#include <muster/bigint.h>

#include <algorithm>
#include <utility>

namespace muster {
namespace {

// As many decimal digits as a product with a limb leaves room for in 64 bits.
constexpr std::uint32_t chunk = 1'000'000'000;
constexpr std::size_t chunk_digits = 9;

void multiply_and_add(std::vector<std::uint64_t>& limbs, std::uint32_t factor, std::uint32_t addend) {
  std::uint64_t carry = addend;
  for (std::uint64_t& limb : limbs) {
    const std::uint64_t low = (limb & 0xffffffff) * factor + carry;
    const std::uint64_t high = (limb >> 32) * factor + (low >> 32);
    limb = (high << 32) | (low & 0xffffffff);
    carry = high >> 32;
  }
  if (carry != 0) limbs.push_back(carry);
}

// Divides, and returns the remainder.
std::uint32_t divide(std::vector<std::uint64_t>& limbs, std::uint32_t divisor) {
  std::uint64_t remainder = 0;
  for (auto limb = limbs.rbegin(); limb != limbs.rend(); ++limb) {
    const std::uint64_t high = (remainder << 32) | (*limb >> 32);
    const std::uint64_t low = ((high % divisor) << 32) | (*limb & 0xffffffff);
    *limb = ((high / divisor) << 32) | (low / divisor);
    remainder = low % divisor;
  }
  while (!limbs.empty() && limbs.back() == 0) limbs.pop_back();
  return static_cast<std::uint32_t>(remainder);
}

}  // namespace

BigInt::BigInt(bool negative, std::vector<std::uint64_t> limbs) : limbs_(std::move(limbs)), negative_(negative) {
  while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
  if (limbs_.empty()) negative_ = false;
}

std::optional<BigInt> BigInt::from_string(std::string_view decimal) {
  const bool negative = decimal.starts_with('-');
  if (negative) decimal.remove_prefix(1);
  if (decimal.empty()) return std::nullopt;
  std::vector<std::uint64_t> limbs;
  while (!decimal.empty()) {
    std::uint32_t factor = 1, digits = 0;
    for (const char c : decimal.substr(0, chunk_digits)) {
      if (c < '0' || c > '9') return std::nullopt;
      factor *= 10;
      digits = digits * 10 + static_cast<std::uint32_t>(c - '0');
    }
    multiply_and_add(limbs, factor, digits);
    decimal.remove_prefix(std::min(chunk_digits, decimal.size()));
  }
  return BigInt(negative, std::move(limbs));
}

std::string BigInt::to_string() const {
  if (is_zero()) return "0";
  std::string reversed;
  for (std::vector<std::uint64_t> rest = limbs_; !rest.empty();) {
    std::uint32_t digits = divide(rest, chunk);
    // The most significant chunk has no leading zeros.
    for (std::size_t i = 0; rest.empty() ? digits != 0 : i < chunk_digits; ++i, digits /= 10) {
      reversed.push_back(static_cast<char>('0' + digits % 10));
    }
  }
  if (negative_) reversed.push_back('-');
  return {reversed.rbegin(), reversed.rend()};
}

std::optional<std::int64_t> BigInt::to_int64() const {
  if (is_zero()) return 0;
  constexpr std::uint64_t limit = std::uint64_t{1} << 63;
  if (limbs_.size() > 1 || limbs_[0] > limit || (limbs_[0] == limit && !negative_)) return std::nullopt;
  return static_cast<std::int64_t>(negative_ ? 0 - limbs_[0] : limbs_[0]);
}

std::optional<std::uint64_t> BigInt::to_uint64() const {
  if (is_zero()) return 0;
  if (limbs_.size() > 1 || negative_) return std::nullopt;
  return limbs_[0];
}

}  // namespace muster
