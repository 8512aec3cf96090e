// SPDX-License-Identifier: MIT
#include "show/table.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "show/printable.h"
#include "states.h"

namespace muster::cli {
namespace {

constexpr std::size_t gap = 2;

}  // namespace

Colour colour_of_output() {
  // As no-color.org has it: any text in it, and an empty one says nothing.
  const char* const unwanted = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) != 0 && !(unwanted && *unwanted) ? Colour::yes : Colour::no;
}

std::string inked(std::string_view text, Ink ink, Colour colour) {
  if (colour == Colour::no || ink == Ink::plain || text.empty()) return std::string(text);
  const char* code = "";
  switch (ink) {
    case Ink::plain: break;
    case Ink::bold: code = "1"; break;
    case Ink::dim: code = "2"; break;
    case Ink::red: code = "31"; break;
    case Ink::green: code = "32"; break;
    case Ink::yellow: code = "33"; break;
  }
  return std::string("\x1b[").append(code).append("m").append(text).append("\x1b[0m");
}

Ink ink_of_state(std::string_view state) {
  switch (tone_of(state)) {
    case Tone::good: return Ink::green;
    case Tone::changing: return Ink::yellow;
    case Tone::bad: return Ink::red;
    case Tone::gone: return Ink::dim;
  }
  return Ink::plain;
}

std::vector<std::string> Table::lines(std::size_t width, Colour colour) const {
  std::vector<std::size_t> natural;
  for (const Column& column : columns_) natural.push_back(columns_of(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) natural[i] = std::max(natural[i], columns_of(row[i].text));
  }

  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < columns_.size(); ++i) shown.push_back(i);
  std::vector<std::size_t> widths;
  while (true) {
    widths = natural;
    std::size_t total = 0;
    for (const std::size_t i : shown) total += widths[i] + gap;
    total -= std::min(gap, total);
    // The widest of those that may be shortened gives way.
    while (total > width) {
      std::size_t* widest = nullptr;
      for (const std::size_t i : shown) {
        if (columns_[i].shortest > 0 && widths[i] > columns_[i].shortest && (!widest || widths[i] > *widest))
          widest = &widths[i];
      }
      if (!widest) break;
      --*widest;
      --total;
    }
    if (total <= width) break;
    const auto least = std::max_element(shown.begin(), shown.end(), [this](std::size_t a, std::size_t b) {
      return columns_[a].expendable < columns_[b].expendable;
    });
    if (least == shown.end() || columns_[*least].expendable == 0) break;
    shown.erase(least);
  }

  const auto line = [&](auto&& cell_of) {
    std::string text;
    std::size_t owed = 0;  // spaces, written before the next that is not empty: none stand at the end of a line
    for (const std::size_t i : shown) {
      const Cell cell = cell_of(i);
      const std::string shown_text = shortened(cell.text, widths[i]);
      const std::size_t pad = widths[i] - std::min(widths[i], columns_of(shown_text));
      const bool right = columns_[i].side == Column::Side::right;
      if (right) owed += pad;
      if (!shown_text.empty()) text.append(std::exchange(owed, 0), ' ').append(inked(shown_text, cell.ink, colour));
      owed += gap + (right ? 0 : pad);
    }
    return text;
  };
  std::vector<std::string> lines;
  lines.push_back(line([this](std::size_t i) { return Cell{columns_[i].title, Ink::bold}; }));
  for (const auto& row : rows_) {
    lines.push_back(line([&row](std::size_t i) { return i < row.size() ? row[i] : Cell{}; }));
  }
  return lines;
}

std::string Table::text(std::size_t width, Colour colour, std::string_view indent) const {
  if (rows_.empty()) return {};
  std::string text;
  for (const std::string& line : lines(width - std::min(width, indent.size()), colour)) {
    text.append(indent).append(line).append("\n");
  }
  return text;
}

}  // namespace muster::cli
