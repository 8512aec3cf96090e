// SPDX-License-Identifier: MIT
#include "core/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace muster::core {
namespace {

const std::string fffd = "\xef\xbf\xbd";

std::string replaced(std::string_view bytes) {
  std::string out;
  append_replacing_invalid(out, bytes);
  return out;
}

TEST(Utf8, AppendsACodePointOfEachLength) {
  std::string out;
  for (const std::uint32_t c : {0x41U, 0x7fU, 0x80U, 0x7ffU, 0x800U, 0xffffU, 0x10000U, 0x10ffffU}) append_utf8(out, c);

  EXPECT_EQ(out, "A\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

TEST(Utf8, AppendsALoneSurrogateThatLoneSurrogateReadsBack) {
  for (std::uint32_t c = 0xd800; c <= 0xdfff; ++c) {
    std::string out;
    append_utf8(out, c);
    ASSERT_EQ(lone_surrogate(out), c);
  }
}

TEST(Utf8, FindsNoSurrogateWhereThereIsNone) {
  EXPECT_EQ(lone_surrogate("\xed\x9f\xbf"), 0U);
  EXPECT_EQ(lone_surrogate("\xed\xa0"), 0U);
  EXPECT_EQ(lone_surrogate("\xed\xa0z"), 0U);
  EXPECT_EQ(lone_surrogate("\xee\x80\x80"), 0U);
  EXPECT_EQ(lone_surrogate(""), 0U);
}

TEST(Utf8, ReadsBackEveryCodePoint) {
  for (std::uint32_t c = 1; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    std::string out;
    append_utf8(out, c);
    ASSERT_EQ(utf8_sequence(out), out.size()) << c;
    ASSERT_EQ(utf8_sequence(out + "z"), out.size()) << c;
  }
}

TEST(Utf8, RefusesOverlongSurrogateTruncatedAndTooLargeSequences) {
  for (const char* bytes : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                            "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3z"}) {
    EXPECT_EQ(utf8_sequence(bytes), 0U);
  }
}

// The counts are those of `Buffer.from(bytes).toString()`.
TEST(Utf8, ReplacesEachMaximalInvalidPart) {
  EXPECT_EQ(replaced("plain"), "plain");
  EXPECT_EQ(replaced("\xe0\x80"), fffd + fffd);
  EXPECT_EQ(replaced("\xed\xa0\x80"), fffd + fffd + fffd);
  EXPECT_EQ(replaced("\xf0\x90\x80"), fffd);
  EXPECT_EQ(replaced("\xf4\x90\x80\x80"), fffd + fffd + fffd + fffd);
  EXPECT_EQ(replaced("\xc0\x80"), fffd + fffd);
  EXPECT_EQ(replaced("\xf0\x9f\x98"
                     "A"),
            fffd + "A");
  EXPECT_EQ(replaced("a\xc3"), "a" + fffd);
}

TEST(Utf8, WhatIsReplacedIsAlwaysUtf8) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string bytes{static_cast<char>(a), static_cast<char>(b), '\x80', 'z'};
      const std::string out = replaced(bytes);
      for (std::size_t at = 0; at < out.size();) {
        const std::size_t length = utf8_sequence(std::string_view(out).substr(at));
        ASSERT_NE(length, 0U) << a << " " << b;
        at += length;
      }
    }
  }
}

TEST(Utf8, ComesFromLatin1) {
  std::string out = "a";
  append_latin1(out, "b\xe9\xff");

  EXPECT_EQ(out, "ab\xc3\xa9\xc3\xbf");
}

TEST(Utf8, ComesFromUtf16JoiningPairsAndKeepingHalves) {
  const auto utf8 = [](std::string_view utf16) {
    std::string out;
    append_utf16le(out, utf16);
    return out;
  };

  EXPECT_EQ(utf8(std::string("a\0\xac\x20", 4)), "a\xe2\x82\xac");
  EXPECT_EQ(utf8(std::string("\x3d\xd8", 2)), "\xed\xa0\xbd");
  EXPECT_EQ(utf8(std::string("\x3d\xd8\x00\xde", 4)), "\xf0\x9f\x98\x80");
  EXPECT_EQ(utf8(std::string("\x00\xde\x3d\xd8", 4)), "\xed\xb8\x80\xed\xa0\xbd");
  EXPECT_EQ(utf8(std::string("\x3d\xd8\x3d\xd8\x00\xde", 6)), "\xed\xa0\xbd\xf0\x9f\x98\x80");
}

TEST(Utf8, IsTakenApartByCodePoints) {
  std::string_view text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\xbd\xff\xc3";
  std::vector<std::uint32_t> codes;
  while (!text.empty()) codes.push_back(take_code_point(text));

  EXPECT_EQ(codes, (std::vector<std::uint32_t>{'a', 0xe9, 0x20ac, 0x1f600, 0xd83d, 0xfffd, 0xfffd}));
}

}  // namespace
}  // namespace muster::core
