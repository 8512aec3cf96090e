// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::cli {

enum class Colour : bool { no, yes };
enum class Ink { plain, bold, dim, red, green, yellow };

// Of standard output: yes on a terminal, unless NO_COLOR says otherwise.
Colour colour_of_output();
// The text in that colour, when there is any.
std::string inked(std::string_view text, Ink ink, Colour colour);
// What a state of an app or a worker is written in.
Ink ink_of_state(std::string_view state);

struct Column {
  enum class Side { left, right };

  std::string title = {};
  Side side = Side::left;
  // What gives way on a narrow terminal: the column with the highest number goes first, 0 never does.
  unsigned expendable = 0;
  // It is made this narrow before any column goes. 0: it is not shortened.
  std::size_t shortest = 0;
};

struct Cell {
  std::string text = {};  // printable
  Ink ink = Ink::plain;
};

// Rows of aligned columns that fit into a width when they can.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  std::size_t size() const { return rows_.size(); }

  // The titles and each row: a line each, without its end.
  std::vector<std::string> lines(std::size_t width, Colour colour) const;
  // The same, indented, with the line ends. Empty without rows.
  std::string text(std::size_t width, Colour colour, std::string_view indent = {}) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace muster::cli
