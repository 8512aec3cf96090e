// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace muster::cli {

// Text of others on a terminal: names, paths, what a worker wrote. It may be no UTF-8, or be meant to steer the terminal.

// Without escape sequences; other control characters and bytes that are no UTF-8 become U+FFFD, a tab becomes spaces.
std::string printable(std::string_view text);
// Only that bytes which are no UTF-8 become U+FFFD.
std::string valid_utf8(std::string_view text);
// How many columns printable text takes: none for what combines, two for wide characters.
std::size_t columns_of(std::string_view text);
// The beginning of printable text in at most so many columns, with "…" where something is left out.
std::string shortened(std::string_view text, std::size_t columns);
// Its lines, broken at spaces (a long word anywhere) so that none takes more columns.
std::string wrapped(std::string_view text, std::size_t columns, std::string_view indent, std::string_view first_indent);

}  // namespace muster::cli
