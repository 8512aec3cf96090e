// SPDX-License-Identifier: MIT
#include "show/printable.h"

#include <algorithm>
#include <iterator>

namespace muster::cli {
namespace {

constexpr std::string_view replacement = "\uFFFD";
constexpr std::string_view ellipsis = "…";

struct Character {
  char32_t code = 0;
  std::size_t size = 1;  // bytes
  bool valid = false;
};

// The character at the beginning of a text that is not empty.
Character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char head = byte(0);
  if (head < 0x80) return {head, 1, true};
  const std::size_t size = head >= 0xF0 ? 4 : head >= 0xE0 ? 3 : 2;
  if (head < 0xC2 || head > 0xF4 || text.size() < size) return {};
  char32_t code = head & (0x7F >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool too_long = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (too_long || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) return {};
  return {code, size, true};
}

struct Range {
  char32_t first, last;
};
template <std::size_t n>
bool any_has(const Range (&ranges)[n], char32_t code) {
  return std::any_of(std::begin(ranges), std::end(ranges), [code](Range r) { return code >= r.first && code <= r.last; });
}

// What draws over its neighbour or nothing. The common ones: a mistake costs an alignment.
constexpr Range combining[] = {{0x300, 0x36F},   {0x483, 0x489},   {0x591, 0x5BD},   {0x610, 0x61A},    {0x64B, 0x65F},
                               {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D}, {0x2060, 0x2064},  {0x20D0, 0x20FF},
                               {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF}};
constexpr Range wide[] = {{0x1100, 0x115F},   {0x231A, 0x231B},   {0x23E9, 0x23EC},  {0x26A1, 0x26A1},   {0x2705, 0x2705},
                          {0x2728, 0x2728},   {0x274C, 0x274C},   {0x2753, 0x2757},  {0x2B50, 0x2B50},   {0x2E80, 0x303E},
                          {0x3041, 0x4DBF},   {0x4E00, 0xA4CF},   {0xA960, 0xA97F},  {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
                          {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},  {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
                          {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD}};
// What turns the order of the text around it: a line that reads otherwise than it is.
constexpr Range steering[] = {{0x0, 0x1F}, {0x7F, 0x9F}, {0x61C, 0x61C}, {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069}};

std::size_t width_of(char32_t code) { return any_has(combining, code) ? 0 : any_has(wide, code) ? 2 : 1; }

// How many bytes an escape sequence takes. One that does not end is only its beginning: it must not hide the rest.
std::size_t escape_size(std::string_view text) {
  if (text.size() < 2) return 1;
  if (text[1] == '[') {
    std::size_t end = 2;
    while (end < text.size() && text[end] >= 0x20 && text[end] < 0x40) ++end;
    return end < text.size() && text[end] >= 0x40 && text[end] < 0x7F ? end + 1 : 2;
  }
  if (std::string_view("]PX^_").find(text[1]) != std::string_view::npos) {
    const std::size_t end = text.find_first_of("\a\x1b", 2);
    if (end == std::string_view::npos) return 2;
    return text[end] == '\a' ? end + 1 : std::min(end + 2, text.size());
  }
  return text[1] >= 0x20 && text[1] < 0x7F ? 2 : 1;
}

// How many bytes of printable text take so many columns at most, with what combines with the last.
std::size_t fitting(std::string_view text, std::size_t columns) {
  std::size_t size = 0;
  while (size < text.size()) {
    const Character next = first_of(text.substr(size));
    const std::size_t width = width_of(next.code);
    if (width > columns) break;
    columns -= width;
    size += next.size;
  }
  return size;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    std::size_t size = 1;
    if (text[0] == '\x1b') {
      size = escape_size(text);
    } else if (text[0] == '\t') {
      result += "  ";
    } else if (text[0] == '\n') {
      result += ' ';
    } else if (text[0] != '\r') {
      const Character next = first_of(text);
      size = next.size;
      result += next.valid && !any_has(steering, next.code) ? text.substr(0, size) : replacement;
    }
    text.remove_prefix(size);
  }
  return result;
}

std::string valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character next = first_of(text);
    result += next.valid ? text.substr(0, next.size) : replacement;
    text.remove_prefix(next.size);
  }
  return result;
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character next = first_of(text);
    columns += width_of(next.code);
    text.remove_prefix(next.size);
  }
  return columns;
}

std::string shortened(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  return std::string(text.substr(0, fitting(text, columns - 1))).append(ellipsis);
}

std::string wrapped(std::string_view text, std::size_t columns, std::string_view indent, std::string_view first_indent) {
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  std::string result(first_indent);
  std::size_t room = columns - std::min(columns, columns_of(first_indent));
  while (true) {
    // A terminal of no width still gets a character in each line.
    const std::size_t size = std::max(fitting(text, room), text.empty() ? 0 : first_of(text).size);
    if (size == text.size()) return result.append(text).append("\n");
    std::size_t end = text[size] == ' ' ? size : text.substr(0, size).rfind(' ');
    // Not at the spaces a line begins with.
    if (end == std::string_view::npos || text.find_first_not_of(' ') > end) end = size;
    result.append(text.substr(0, end)).append("\n").append(indent);
    text.remove_prefix(std::min(text.find_first_not_of(' ', end), text.size()));
    room = columns - std::min(columns, columns_of(indent));
  }
}

}  // namespace muster::cli
