// SPDX-License-Identifier: MIT
#include "core/utf8.h"

#include <algorithm>

namespace muster::core {
namespace {

// What may follow a lead byte: how many bytes, and the range of the first of them, which excludes
// overlong forms, surrogates and what is beyond U+10FFFF.
struct Lead {
  std::size_t length;
  unsigned char low, high;
};

Lead lead(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte >= 0xc2 && byte <= 0xdf) return {2, 0x80, 0xbf};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte >= 0xe1 && byte <= 0xef) return {3, 0x80, 0xbf};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte >= 0xf1 && byte <= 0xf3) return {4, 0x80, 0xbf};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

// How many bytes at the start are a well-formed beginning of a sequence; at least 1.
std::size_t valid_prefix(std::string_view bytes, const Lead& expected) {
  std::size_t n = 1;
  while (n < expected.length && n < bytes.size()) {
    const auto byte = static_cast<unsigned char>(bytes[n]);
    const unsigned char low = n == 1 ? expected.low : 0x80;
    const unsigned char high = n == 1 ? expected.high : 0xbf;
    if (byte < low || byte > high) break;
    ++n;
  }
  return n;
}

}  // namespace

void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | (c >> 6));
    put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3f));
    put(0x80 | ((c >> 6) & 0x3f));
    put(0x80 | (c & 0x3f));
  }
}

std::size_t utf8_sequence(std::string_view bytes) {
  const Lead expected = lead(static_cast<unsigned char>(bytes[0]));
  return expected.length != 0 && valid_prefix(bytes, expected) == expected.length ? expected.length : 0;
}

void append_replacing_invalid(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    const Lead expected = lead(static_cast<unsigned char>(bytes[0]));
    const std::size_t n = expected.length == 0 ? 1 : valid_prefix(bytes, expected);
    if (n == expected.length) {
      out.append(bytes.substr(0, n));
    } else {
      out.append("\xef\xbf\xbd");
    }
    bytes.remove_prefix(n);
  }
}

std::uint32_t lone_surrogate(std::string_view bytes) {
  if (bytes.size() < 3 || bytes[0] != '\xed') return 0;
  const auto second = static_cast<unsigned char>(bytes[1]);
  const auto third = static_cast<unsigned char>(bytes[2]);
  if (second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) return 0;
  return 0xd000U | (static_cast<std::uint32_t>(second & 0x3f) << 6) | (third & 0x3fU);
}

void append_latin1(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + bytes.size());
  while (!bytes.empty()) {
    const auto high = std::find_if(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    const auto run = static_cast<std::size_t>(high - bytes.begin());
    out.append(bytes.substr(0, run));
    bytes.remove_prefix(run);
    if (bytes.empty()) return;
    append_utf8(out, static_cast<unsigned char>(bytes[0]));
    bytes.remove_prefix(1);
  }
}

void append_utf16le(std::string& out, std::string_view bytes) {
  const auto unit = [bytes](std::size_t at) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at])) |
           (static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + 1])) << 8);
  };
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    std::uint32_t code = unit(i);
    if (code >= 0xd800 && code <= 0xdbff && i + 3 < bytes.size() && unit(i + 2) >= 0xdc00 && unit(i + 2) <= 0xdfff) {
      code = 0x10000 + ((code - 0xd800) << 10) + (unit(i + 2) - 0xdc00);
      i += 2;
    }
    append_utf8(out, code);
  }
}

std::uint32_t take_code_point(std::string_view& bytes) {
  std::size_t length = utf8_sequence(bytes);
  std::uint32_t code = lone_surrogate(bytes);
  if (code != 0) {
    length = 3;
  } else if (length == 0) {
    code = 0xfffd;
    length = 1;
  } else {
    constexpr unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    code = static_cast<unsigned char>(bytes[0]) & lead_bits[length];
    for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (static_cast<unsigned char>(bytes[i]) & 0x3fU);
  }
  bytes.remove_prefix(length);
  return code;
}

}  // namespace muster::core
