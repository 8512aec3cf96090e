// SPDX-License-Identifier: MIT
#include "config/units.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

using std::chrono::milliseconds;

TEST(Duration, IsANumberAndAUnit) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("30s"), milliseconds(30'000));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(parse_duration("2h"), milliseconds(7'200'000));
  EXPECT_EQ(parse_duration("1d"), milliseconds(86'400'000));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1'500));
  EXPECT_EQ(parse_duration("0"), milliseconds(0));
}

TEST(Duration, WithoutAUnitIsSeconds) { EXPECT_EQ(parse_duration("30"), milliseconds(30'000)); }

TEST(Duration, IsNothingElse) {
  for (const auto* text :
       {"", "s", "-1s", "+1s", "1 s", "1S", "1w", "1s2m", "1e3", "inf", "1..5s", ".", "999999999999999999d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Duration, IsWrittenAsItIsRead) {
  EXPECT_EQ(format_duration(milliseconds(0)), "0s");
  EXPECT_EQ(format_duration(milliseconds(500)), "500ms");
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(86'400'000)), "1d");
}

TEST(Size, CountsIn1024) {
  EXPECT_EQ(parse_size("512"), 512u);
  EXPECT_EQ(parse_size("512B"), 512u);
  EXPECT_EQ(parse_size("512K"), 512u << 10);
  EXPECT_EQ(parse_size("200M"), 200u << 20);
  EXPECT_EQ(parse_size("200mb"), 200u << 20);
  EXPECT_EQ(parse_size("200MiB"), 200u << 20);
  EXPECT_EQ(parse_size("1.5G"), 3ull << 29);
  EXPECT_EQ(parse_size("1T"), 1ull << 40);
}

TEST(Size, IsNothingElse) {
  for (const auto* text : {"", "M", "-1", "1X", "1 M", "1MM", "99999999T"}) EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Size, IsWrittenAsItIsRead) {
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1000), "1000");
  EXPECT_EQ(format_size(10u << 20), "10M");
  EXPECT_EQ(format_size(1u << 30), "1G");
}

TEST(Count, IsDigits) {
  EXPECT_EQ(parse_count("0"), 0u);
  EXPECT_EQ(parse_count("42"), 42u);
  for (const auto* text : {"", "-1", "+1", "1.0", "0x10", "1 ", "99999999999999999999"})
    EXPECT_FALSE(parse_count(text)) << text;
}

TEST(Switch, HasAFewWordsForYesAndNo) {
  EXPECT_EQ(parse_switch("true"), true);
  EXPECT_EQ(parse_switch("YES"), true);
  EXPECT_EQ(parse_switch("0"), false);
  EXPECT_EQ(parse_switch("off"), false);
  EXPECT_FALSE(parse_switch("maybe"));
}

TEST(Words, AreSplitAsAShellDoes) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(split_words("  a  b\tc\n"), (Words{"a", "b", "c"}));
  EXPECT_EQ(split_words(R"(--say "two words" 'and "more"' a\ b "")"), (Words{"--say", "two words", "and \"more\"", "a b", ""}));
  EXPECT_EQ(split_words(""), Words{});
}

TEST(Words, AreTheSameAfterTheyWereJoined) {
  const std::vector<std::string> words{"plain", "two words", "", "a\"quote", "back\\slash", "it's"};
  EXPECT_EQ(split_words(join_words(words)), words);
}

// Clocks count in nanoseconds, of which there are not as many as in 300 years.
TEST(Duration, IsNoMoreThanAHundredYears) {
  EXPECT_EQ(parse_duration("36500d"), longest_duration);
  for (const char* text : {"36501d", "100000000d", "9007199254740991ms"}) EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

}  // namespace
}  // namespace muster::cli
