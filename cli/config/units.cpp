// SPDX-License-Identifier: MIT
#include "config/units.h"

#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace muster::cli {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t worth;
};

// Smallest first.
constexpr std::array time_units{Unit{"ms", 1}, Unit{"s", 1'000}, Unit{"m", 60'000}, Unit{"h", 3'600'000},
                                Unit{"d", 86'400'000}};
constexpr std::array size_units{Unit{"B", 1}, Unit{"K", 1ull << 10}, Unit{"M", 1ull << 20}, Unit{"G", 1ull << 30},
                                Unit{"T", 1ull << 40}};

// Beyond it a double no longer counts in ones, and nobody waits so long.
constexpr double largest = 9007199254740992.0;

// A number and what follows it.
struct Amount {
  double number;
  std::string_view unit;
};

std::optional<Amount> read_amount(std::string_view text) {
  // from_chars would also read "inf", "1e9" and a sign.
  const auto digits = text.find_first_not_of("0123456789.");
  const auto number_text = text.substr(0, digits);
  const auto unit = digits == std::string_view::npos ? std::string_view{} : text.substr(digits);
  double number = 0;
  const auto [end, error] = std::from_chars(number_text.data(), number_text.data() + number_text.size(), number);
  if (error != std::errc{} || end != number_text.data() + number_text.size()) return std::nullopt;
  return Amount{number, unit};
}

std::optional<std::uint64_t> scale(double number, std::uint64_t worth) {
  const double product = std::round(number * static_cast<double>(worth));
  if (product >= largest) return std::nullopt;
  return static_cast<std::uint64_t>(product);
}

bool same_letters(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if ((left[i] | 0x20) != (right[i] | 0x20)) return false;
  }
  return true;
}

// In the largest unit that leaves a whole number.
template <class Units>
std::string format(std::uint64_t amount, const Units& units) {
  const Unit* best = &units[0];
  for (const Unit& unit : units) {
    if (amount % unit.worth == 0) best = &unit;
  }
  return fmt::format("{}{}", amount / best->worth, best->name);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto amount = read_amount(text);
  if (!amount) return std::nullopt;
  for (const Unit& unit : time_units) {
    if (amount->unit != unit.name && !(amount->unit.empty() && unit.name == "s")) continue;
    const auto product = scale(amount->number, unit.worth);
    if (product && std::chrono::milliseconds(*product) <= longest_duration) return std::chrono::milliseconds(*product);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto amount = read_amount(text);
  if (!amount) return std::nullopt;
  if (amount->unit.empty()) return scale(amount->number, 1);
  for (const Unit& unit : size_units) {
    const std::string letter(unit.name);
    if (same_letters(amount->unit, letter) ||
        (letter != "B" && (same_letters(amount->unit, letter + "B") || same_letters(amount->unit, letter + "iB")))) {
      return scale(amount->number, unit.worth);
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return count;
}

std::optional<bool> parse_switch(std::string_view text) {
  for (const auto* yes : {"true", "yes", "on", "1"}) {
    if (same_letters(text, yes)) return true;
  }
  for (const auto* no : {"false", "no", "off", "0"}) {
    if (same_letters(text, no)) return false;
  }
  return std::nullopt;
}

std::string format_duration(std::chrono::milliseconds duration) {
  const auto amount = static_cast<std::uint64_t>(duration.count());
  return amount == 0 ? "0s" : format(amount, time_units);
}

std::string format_size(std::uint64_t bytes) {
  if (bytes == 0) return "0";
  const auto text = format(bytes, size_units);
  return text.back() == 'B' ? text.substr(0, text.size() - 1) : text;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!quote && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (quote && c == quote) {
      quote = 0;
    } else if (!quote && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      words.back() += text[++i];
    } else {
      words.back() += c;
    }
  }
  return words;
}

std::string join_words(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += ' ';
    if (!word.empty() && word.find_first_of(" \t\r\n'\"\\") == std::string::npos) {
      text += word;
      continue;
    }
    text += '"';
    for (const char c : word) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text;
}

}  // namespace muster::cli
