// SPDX-License-Identifier: MIT
#include <muster/bigint.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>

namespace muster {
namespace {

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

TEST(BigInt, ComesFromAndGoesToIntegers) {
  for (const std::int64_t n : {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, lowest, highest}) {
    EXPECT_EQ(BigInt(n).to_int64(), n);
    EXPECT_EQ(BigInt(n).to_string(), std::to_string(n));
  }
  EXPECT_EQ(BigInt(largest).to_uint64(), largest);
  EXPECT_EQ(BigInt(7U), BigInt(7));
}

TEST(BigInt, DoesNotFitWhereItIsTooLarge) {
  EXPECT_EQ(BigInt(largest).to_int64(), std::nullopt);
  EXPECT_EQ(BigInt(false, {std::uint64_t{1} << 63}).to_int64(), std::nullopt);
  EXPECT_EQ(BigInt(true, {(std::uint64_t{1} << 63) + 1}).to_int64(), std::nullopt);
  EXPECT_EQ(BigInt(-1).to_uint64(), std::nullopt);
  EXPECT_EQ(BigInt(false, {0, 1}).to_int64(), std::nullopt);
  EXPECT_EQ(BigInt(false, {0, 1}).to_uint64(), std::nullopt);
}

TEST(BigInt, HasNoLeadingZerosAndNoMinusZero) {
  EXPECT_EQ(BigInt(true, {0, 0}), BigInt());
  EXPECT_FALSE(BigInt(true, {0}).negative());
  EXPECT_EQ(BigInt(false, {5, 0}).limbs().size(), 1U);
  EXPECT_EQ(BigInt::from_string("-0"), BigInt());
}

TEST(BigInt, IsWrittenInDecimal) {
  EXPECT_EQ(BigInt(false, {0, 1}).to_string(), "18446744073709551616");
  EXPECT_EQ(BigInt(true, {0, 0, 1}).to_string(), "-340282366920938463463374607431768211456");
  EXPECT_EQ(BigInt(1'000'000'000).to_string(), "1000000000");
  EXPECT_EQ(BigInt().to_string(), "0");
}

TEST(BigInt, IsReadFromDecimal) {
  EXPECT_EQ(BigInt::from_string("340282366920938463463374607431768211456"), BigInt(false, {0, 0, 1}));
  EXPECT_EQ(BigInt::from_string("-000018446744073709551616"), BigInt(true, {0, 1}));
  for (const char* text : {"", "-", "+1", "1n", " 1", "1 ", "0x1", "--1", "1-", "1.0"}) {
    EXPECT_EQ(BigInt::from_string(text), std::nullopt) << text;
  }
}

TEST(BigInt, SurvivesDecimalBothWays) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::uint64_t> limbs;
    for (auto n = random() % 10; n > 0; --n) limbs.push_back(random() >> (random() % 64));
    const BigInt number(random() % 2 == 0, limbs);

    EXPECT_EQ(BigInt::from_string(number.to_string()), number) << number.to_string();
  }
}

}  // namespace
}  // namespace muster
