// SPDX-License-Identifier: MIT
#include "config/nearest.h"

#include <algorithm>

#include <fmt/format.h>

namespace muster::cli {
namespace {

std::string folded(std::string_view word) {
  std::string text(word);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    if (c == '-') c = '_';
  }
  return text;
}

// More slips in a long word than in a short one; never so many that little of it is left.
std::size_t allowed_slips(std::size_t length) { return length <= 4 ? 1 : length <= 8 ? 2 : 3; }

}  // namespace

// Damerau and Levenshtein's, in the form where no letter is touched twice.
std::size_t typing_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before_last(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    before_last = last;
    last = row;
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t change = left[i - 1] == right[j - 1] ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[right.size()];
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& names) {
  const std::string typed = folded(word);
  std::optional<std::string> best;
  std::size_t least = allowed_slips(typed.size()) + 1;
  for (const auto& name : names) {
    const std::size_t length = std::min(typed.size(), name.size());
    const std::size_t distance = typing_distance(typed, folded(name));
    if (distance < least && distance < length) {
      least = distance;
      best = name;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  const auto name = nearest(word, names);
  return name ? fmt::format("; did you mean \"{}\"?", *name) : std::string{};
}

}  // namespace muster::cli
