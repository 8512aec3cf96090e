// SPDX-License-Identifier: MIT
#include "core/frame.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace muster::core {
namespace {

std::string frame(Serialization serialization, const std::string& payload) {
  std::string whole = begin_frame(serialization) + payload;
  end_frame(serialization, whole);
  return whole;
}

constexpr std::size_t limit = 1000;

// Feeds one piece and collects the frames that it completes.
std::vector<std::string> frames_of(FrameReader& reader, std::string_view piece) {
  std::vector<std::string> frames;
  reader.feed(piece);
  for (;;) {
    const auto next = reader.next();
    if (const auto* frame = std::get_if<FrameReader::Frame>(&next)) {
      frames.emplace_back(frame->bytes);
    } else {
      EXPECT_TRUE(std::holds_alternative<FrameReader::NeedMore>(next));
      return frames;
    }
  }
}

std::string with_length(std::uint32_t length, std::string payload) {
  const char prefix[] = {static_cast<char>(length >> 24), static_cast<char>(length >> 16), static_cast<char>(length >> 8),
                         static_cast<char>(length)};
  return std::string(prefix, 4) + payload;
}

class FrameOf : public testing::TestWithParam<Serialization> {};
INSTANTIATE_TEST_SUITE_P(Frame, FrameOf, testing::Values(Serialization::json, Serialization::advanced),
                         [](const auto& info) { return info.param == Serialization::json ? "Json" : "Advanced"; });

TEST_P(FrameOf, ComesOutWholeHoweverItIsSplit) {
  const std::vector<std::string> payloads = {"first", "z", "\xf0\x9f\x98\x80 and more"};
  std::string bytes;
  for (const std::string& payload : payloads) bytes += frame(GetParam(), payload);

  for (std::size_t one = 0; one <= bytes.size(); ++one) {
    for (std::size_t two = one; two <= bytes.size(); ++two) {
      FrameReader reader(GetParam(), limit);
      std::vector<std::string> frames;
      for (const auto& [from, to] : {std::pair{std::size_t{0}, one}, {one, two}, {two, bytes.size()}}) {
        const std::string piece = bytes.substr(from, to - from);
        for (std::string& whole : frames_of(reader, piece)) frames.push_back(std::move(whole));
      }
      ASSERT_EQ(frames, payloads) << one << " " << two;
      ASSERT_FALSE(reader.partial());
    }
  }
}

TEST_P(FrameOf, ComesOutWholeByteByByte) {
  FrameReader reader(GetParam(), limit);
  std::vector<std::string> frames;
  for (const char c : frame(GetParam(), "one") + frame(GetParam(), "two")) {
    for (std::string& whole : frames_of(reader, std::string(1, c))) frames.push_back(std::move(whole));
  }

  EXPECT_EQ(frames, (std::vector<std::string>{"one", "two"}));
}

TEST_P(FrameOf, IsPartialFromItsFirstByteToItsLast) {
  const std::string bytes = frame(GetParam(), "payload");
  for (std::size_t n = 1; n < bytes.size(); ++n) {
    FrameReader reader(GetParam(), limit);
    frames_of(reader, bytes.substr(0, n));
    ASSERT_TRUE(reader.partial()) << n;
    frames_of(reader, bytes.substr(n));
    ASSERT_FALSE(reader.partial()) << n;
  }
}

TEST_P(FrameOf, MayBeAsLongAsTheLimitAndNoLonger) {
  FrameReader whole(GetParam(), limit);
  EXPECT_EQ(frames_of(whole, frame(GetParam(), std::string(limit, 'x'))).size(), 1U);

  FrameReader reader(GetParam(), limit);
  const std::string bytes = frame(GetParam(), std::string(limit + 1, 'x'));
  reader.feed(bytes);
  const auto next = reader.next();

  ASSERT_TRUE(std::holds_alternative<FrameReader::Malformed>(next));
  EXPECT_EQ(std::get<FrameReader::Malformed>(next).code, Errc::ipc_message_too_large);
}

TEST_P(FrameOf, IsHandedOutBeforeAMalformedOne) {
  FrameReader reader(GetParam(), limit);
  const std::string bytes = frame(GetParam(), "good") + frame(GetParam(), std::string(limit + 1, 'x'));
  reader.feed(bytes);

  const auto first = reader.next();
  ASSERT_TRUE(std::holds_alternative<FrameReader::Frame>(first));
  EXPECT_EQ(std::get<FrameReader::Frame>(first).bytes, "good");
  EXPECT_TRUE(std::holds_alternative<FrameReader::Malformed>(reader.next()));
}

TEST_P(FrameOf, SixtyFourMebibytesComesQuicklyInPiecesOf64KiB) {
  const std::string bytes = frame(GetParam(), std::string(64U << 20, 'x'));
  FrameReader reader(GetParam(), std::size_t{512} << 20);
  std::size_t length = 0;
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t at = 0; at < bytes.size(); at += 65536) {
    reader.feed(std::string_view(bytes).substr(at, 65536));
    auto next = reader.next();
    while (const auto* whole = std::get_if<FrameReader::Frame>(&next)) {
      length = whole->bytes.size();
      next = reader.next();
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;

  EXPECT_EQ(length, 64U << 20);
  // A reader that looked at each byte again for each piece would take minutes.
  EXPECT_LT(took.count(), 5.0);
}

TEST(LineFrame, TooLongIsKnownBeforeItsEnd) {
  FrameReader reader(Serialization::json, limit);
  const std::string half(600, 'x');
  reader.feed(half);
  ASSERT_TRUE(std::holds_alternative<FrameReader::NeedMore>(reader.next()));
  reader.feed(half);

  EXPECT_TRUE(std::holds_alternative<FrameReader::Malformed>(reader.next()));
}

TEST(LineFrame, MayBeEmptyAndKeepsACarriageReturn) {
  FrameReader reader(Serialization::json, limit);

  EXPECT_EQ(frames_of(reader, "\n{}\r\n"), (std::vector<std::string>{"", "{}\r"}));
}

TEST(BlockFrame, WithALengthThatLiesIsRefusedAtItsHead) {
  for (const std::uint32_t length : {1001U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    FrameReader reader(Serialization::advanced, limit);
    const std::string bytes = with_length(length, "");
    reader.feed(bytes);
    const auto next = reader.next();
    ASSERT_TRUE(std::holds_alternative<FrameReader::Malformed>(next));
    EXPECT_EQ(std::get<FrameReader::Malformed>(next).code, Errc::ipc_message_too_large);
  }
}

TEST(BlockFrame, OfNoLengthIsMalformed) {
  FrameReader reader(Serialization::advanced, limit);
  const std::string bytes = with_length(0, "");
  reader.feed(bytes);
  const auto next = reader.next();

  ASSERT_TRUE(std::holds_alternative<FrameReader::Malformed>(next));
  EXPECT_EQ(std::get<FrameReader::Malformed>(next).code, Errc::ipc_malformed_message);
}

TEST(BlockFrame, WithAHugeLengthWithinTheLimitWaitsForItsBytes) {
  FrameReader reader(Serialization::advanced, std::size_t{512} << 20);

  EXPECT_TRUE(frames_of(reader, with_length(512U << 20, "few")).empty());
  EXPECT_TRUE(reader.partial());
}

TEST(BlockFrame, MayHoldNewlinesAndZeros) {
  FrameReader reader(Serialization::advanced, limit);
  const std::string payload("\n\0\n", 3);

  EXPECT_EQ(frames_of(reader, frame(Serialization::advanced, payload)), std::vector<std::string>{payload});
}

TEST(Frame, IsWrittenAsNodeWritesIt) {
  EXPECT_EQ(frame(Serialization::json, "{}"), "{}\n");
  EXPECT_EQ(frame(Serialization::advanced, "abc"), std::string("\0\0\0\x03", 4) + "abc");
  EXPECT_EQ(frame(Serialization::advanced, std::string(0x010203, 'x')).substr(0, 4), std::string("\0\x01\x02\x03", 4));
}

// What comes out of a reader that skips: the frames, and "-" for each that was skipped.
std::vector<std::string> with_skipped(FrameReader& reader, std::string_view piece) {
  std::vector<std::string> frames;
  reader.feed(piece);
  for (;;) {
    const auto next = reader.next();
    if (const auto* frame = std::get_if<FrameReader::Frame>(&next)) {
      frames.emplace_back(frame->bytes);
    } else if (std::holds_alternative<FrameReader::Skipped>(next)) {
      frames.emplace_back("-");
    } else {
      EXPECT_TRUE(std::holds_alternative<FrameReader::NeedMore>(next));
      return frames;
    }
  }
}

TEST_P(FrameOf, IsSkippedWhenItIsTooLargeHoweverItIsSplit) {
  const std::string bytes = frame(GetParam(), "before") + frame(GetParam(), std::string(50, 'x')) + frame(GetParam(), "after");
  const std::vector<std::string> expected{"before", "-", "after"};
  for (std::size_t one = 0; one <= bytes.size(); ++one) {
    for (std::size_t two = one; two <= bytes.size(); ++two) {
      FrameReader reader(GetParam(), 10, FrameReader::Large::skipped);
      std::vector<std::string> frames;
      for (const auto& [from, to] : {std::pair{std::size_t{0}, one}, {one, two}, {two, bytes.size()}}) {
        const std::string piece = bytes.substr(from, to - from);
        for (std::string& whole : with_skipped(reader, piece)) frames.push_back(std::move(whole));
      }
      ASSERT_EQ(frames, expected) << one << " " << two;
      ASSERT_FALSE(reader.partial());
    }
  }
}

TEST_P(FrameOf, IsPartialWhileItIsSkipped) {
  FrameReader reader(GetParam(), 10, FrameReader::Large::skipped);
  const std::string bytes = frame(GetParam(), std::string(50, 'x'));

  EXPECT_TRUE(with_skipped(reader, bytes.substr(0, 30)).empty());
  EXPECT_TRUE(reader.partial());
}

TEST_P(FrameOf, CanBeKept) {
  const std::string bytes = frame(GetParam(), "payload") + frame(GetParam(), "next");
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    FrameReader reader(GetParam(), limit);
    const std::string first = bytes.substr(0, n), second = bytes.substr(n);
    std::vector<std::string> kept;
    for (const std::string& piece : {first, second}) {
      reader.feed(piece);
      for (auto next = reader.next(); !std::holds_alternative<FrameReader::NeedMore>(next); next = reader.next()) {
        kept.emplace_back(reader.keep(std::get<FrameReader::Frame>(next)).bytes());
      }
    }
    ASSERT_EQ(kept, (std::vector<std::string>{"payload", "next"})) << n;
  }
}

}  // namespace
}  // namespace muster::core
