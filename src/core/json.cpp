#include "core/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/utf8.h"

namespace muster::core {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::optional<Value> document() {
    Value value;
    if (!read(value, 0)) return std::nullopt;
    skip_space();
    if (!rest_.empty()) return std::nullopt;
    return value;
  }

 private:
  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\r' || rest_[0] == '\n')) {
      rest_.remove_prefix(1);
    }
  }

  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool literal(std::string_view word, Value value, Value& into) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    into = std::move(value);
    return true;
  }

  bool read(Value& into, int depth) {
    skip_space();
    if (rest_.empty()) return false;
    switch (rest_[0]) {
      case '{': return object(into, depth);
      case '[': return array(into, depth);
      case '"': {
        std::string text;
        if (!string(text)) return false;
        into = std::move(text);
        return true;
      }
      case 't': return literal("true", true, into);
      case 'f': return literal("false", false, into);
      case 'n': return literal("null", nullptr, into);
      default: return number(into);
    }
  }

  bool object(Value& into, int depth) {
    if (depth >= max_depth) return false;
    rest_.remove_prefix(1);
    Object members;
    skip_space();
    if (!take('}')) {
      do {
        skip_space();
        std::string key;
        if (rest_.empty() || rest_[0] != '"' || !string(key)) return false;
        skip_space();
        Value value;
        if (!take(':') || !read(value, depth + 1)) return false;
        members.set(key, std::move(value));
        skip_space();
      } while (take(','));
      if (!take('}')) return false;
    }
    into = std::move(members);
    return true;
  }

  bool array(Value& into, int depth) {
    if (depth >= max_depth) return false;
    rest_.remove_prefix(1);
    Array elements;
    skip_space();
    if (!take(']')) {
      do {
        Value value;
        if (!read(value, depth + 1)) return false;
        elements.push_back(std::move(value));
        skip_space();
      } while (take(','));
      if (!take(']')) return false;
    }
    into = std::move(elements);
    return true;
  }

  bool string(std::string& text) {
    rest_.remove_prefix(1);
    for (;;) {
      // Most strings are one plain run up to the quote.
      std::size_t run = 0;
      while (run < rest_.size() && static_cast<unsigned char>(rest_[run]) >= 0x20 && rest_[run] != '"' && rest_[run] != '\\' &&
             static_cast<unsigned char>(rest_[run]) < 0x80) {
        ++run;
      }
      text.append(rest_.substr(0, run));
      rest_.remove_prefix(run);
      if (rest_.empty()) return false;
      if (take('"')) return true;
      if (take('\\')) {
        if (!escape(text)) return false;
      } else if (static_cast<unsigned char>(rest_[0]) >= 0x80) {
        run = 0;
        while (run < rest_.size() && static_cast<unsigned char>(rest_[run]) >= 0x80) ++run;
        append_replacing_invalid(text, rest_.substr(0, run));
        rest_.remove_prefix(run);
      } else {
        return false;  // a bare control character
      }
    }
  }

  bool hex4(std::uint32_t& code) {
    if (rest_.size() < 4) return false;
    code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = rest_[static_cast<std::size_t>(i)];
      std::uint32_t digit = 0;
      if (c >= '0' && c <= '9') {
        digit = static_cast<std::uint32_t>(c - '0');
      } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        digit = static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
      } else {
        return false;
      }
      code = code * 16 + digit;
    }
    rest_.remove_prefix(4);
    return true;
  }

  bool escape(std::string& text) {
    if (rest_.empty()) return false;
    const char c = rest_[0];
    rest_.remove_prefix(1);
    switch (c) {
      case '"':
      case '\\':
      case '/': text.push_back(c); return true;
      case 'b': text.push_back('\b'); return true;
      case 'f': text.push_back('\f'); return true;
      case 'n': text.push_back('\n'); return true;
      case 'r': text.push_back('\r'); return true;
      case 't': text.push_back('\t'); return true;
      case 'u': break;
      default: return false;
    }
    std::uint32_t code = 0;
    if (!hex4(code)) return false;
    const bool high = code >= 0xd800 && code <= 0xdbff;
    if (high && rest_.starts_with("\\u")) {
      const std::string_view before = rest_;
      rest_.remove_prefix(2);
      std::uint32_t low = 0;
      if (!hex4(low)) return false;
      if (low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      } else {
        rest_ = before;
      }
    }
    append_utf8(text, code);
    return true;
  }

  std::size_t digits(std::size_t from) const {
    std::size_t at = from;
    while (at < rest_.size() && rest_[at] >= '0' && rest_[at] <= '9') ++at;
    return at - from;
  }

  bool number(Value& into) {
    // from_chars takes more than JSON's grammar and less of its range, so the grammar is read here.
    std::size_t at = rest_[0] == '-' ? 1 : 0;
    const std::size_t whole = digits(at);
    if (whole == 0 || (whole > 1 && rest_[at] == '0')) return false;
    at += whole;
    bool integral = true;
    if (at < rest_.size() && rest_[at] == '.') {
      const std::size_t fraction = digits(at + 1);
      if (fraction == 0) return false;
      at += 1 + fraction;
      integral = false;
    }
    if (at < rest_.size() && (rest_[at] | 0x20) == 'e') {
      std::size_t exponent = at + 1;
      if (exponent < rest_.size() && (rest_[exponent] == '+' || rest_[exponent] == '-')) ++exponent;
      const std::size_t length = digits(exponent);
      if (length == 0) return false;
      at = exponent + length;
      integral = false;
    }
    const std::string_view text = rest_.substr(0, at);
    rest_.remove_prefix(at);
    if (integral && text.size() <= 15) {
      std::int64_t value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value);
      // "-0" is minus zero.
      into = value == 0 && text[0] == '-' ? -0.0 : static_cast<double>(value);
      return true;
    }
    double value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc::result_out_of_range) {
      value = too_large(text) ? std::numeric_limits<double>::infinity() : 0;
      if (text[0] == '-') value = -value;
    }
    into = value;
    return true;
  }

  // Whether a number that no double can hold is too large rather than too small, which from_chars does
  // not say. strtod would, but reads a number as the program's locale writes it.
  static bool too_large(std::string_view text) {
    const std::size_t e = std::min(text.find_first_of("eE"), text.size());
    std::string_view exponent_text = text.substr(e).substr(e < text.size() ? 1 : 0);
    if (exponent_text.starts_with('+')) exponent_text.remove_prefix(1);
    int exponent = 0;
    const auto read = std::from_chars(exponent_text.data(), exponent_text.data() + exponent_text.size(), exponent);
    if (read.ec == std::errc::result_out_of_range) return exponent_text[0] != '-';
    const std::size_t point = std::min(text.find('.'), e);
    const std::size_t first_digit = text.find_first_of("123456789");
    return exponent + static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first_digit) > 0;
  }

  std::string_view rest_;
};

// ECMAScript's Number::toString: the shortest digits that read back the same, laid out by its rules.
void write_number(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[40];
  if (value == std::trunc(value) && std::fabs(value) < 1e15) {
    // Also turns -0 into 0.
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, static_cast<std::int64_t>(value)).ptr;
    out.append(buffer, end);
    return;
  }
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  if (text[0] == '-') {
    out.push_back('-');
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  int exponent = 0;
  const char* exponent_text = text.data() + e + 1 + (text[e + 1] == '+' ? 1 : 0);
  std::from_chars(exponent_text, text.data() + text.size(), exponent);
  std::string digits(text.substr(0, 1));
  if (e > 1) digits.append(text.substr(2, e - 2));
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // where the decimal point stands, counted from the first digit
  if (count <= point && point <= 21) {
    out += digits;
    out.append(static_cast<std::size_t>(point - count), '0');
  } else if (0 < point && point <= 21) {
    out.append(digits, 0, static_cast<std::size_t>(point));
    out.push_back('.');
    out.append(digits, static_cast<std::size_t>(point));
  } else if (-6 < point && point <= 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-point), '0');
    out += digits;
  } else {
    out.push_back(digits[0]);
    if (count > 1) {
      out.push_back('.');
      out.append(digits, 1);
    }
    out += exponent < 0 ? "e-" : "e+";
    out += std::to_string(std::abs(exponent));
  }
}

bool write(const Value& value, std::string& out, int depth) {
  if (value.is_string()) {
    write_json_string(value.as_string(), out);
  } else if (value.is_number()) {
    write_number(value.as_number(), out);
  } else if (value.is_bool()) {
    out += value.as_bool() ? "true" : "false";
  } else if (value.is_array()) {
    if (depth >= max_depth) return false;
    out.push_back('[');
    bool first = true;
    for (const Value& element : value.as_array()) {
      if (!first) out.push_back(',');
      first = false;
      if (!write(element, out, depth + 1)) return false;
    }
    out.push_back(']');
  } else if (value.is_object()) {
    if (depth >= max_depth) return false;
    out.push_back('{');
    bool first = true;
    for (const Object::Member* member : value.as_object().ordered()) {
      if (member->second.is_undefined()) continue;
      if (!first) out.push_back(',');
      first = false;
      write_json_string(member->first, out);
      out.push_back(':');
      if (!write(member->second, out, depth + 1)) return false;
    }
    out.push_back('}');
  } else {
    out += "null";
  }
  return true;
}

void write_u_escape(std::uint32_t code, std::string& out) {
  constexpr char hex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(hex[(code >> shift) & 0xf]);
}

}  // namespace

std::optional<Value> parse_json(std::string_view text) { return Parser(text).document(); }

void write_json_string(std::string_view text, std::string& out) {
  out.push_back('"');
  while (!text.empty()) {
    std::size_t run = 0;
    while (run < text.size() && static_cast<unsigned char>(text[run]) >= 0x20 && static_cast<unsigned char>(text[run]) < 0x80 &&
           text[run] != '"' && text[run] != '\\') {
      ++run;
    }
    out.append(text.substr(0, run));
    text.remove_prefix(run);
    if (text.empty()) break;
    const auto c = static_cast<unsigned char>(text[0]);
    std::size_t used = 1;
    if (c >= 0x80) {
      // A channel carries UTF-8 only, whatever the program put into its string.
      if (const std::uint32_t surrogate = lone_surrogate(text)) {
        write_u_escape(surrogate, out);
        used = 3;
      } else if ((used = utf8_sequence(text)) != 0) {
        out.append(text.substr(0, used));
      } else {
        out += "\xef\xbf\xbd";
        used = 1;
      }
    } else {
      switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\b': out += "\\b"; break;
        case '\f': out += "\\f"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default: write_u_escape(c, out);
      }
    }
    text.remove_prefix(used);
  }
  out.push_back('"');
}

bool nests_within(const Value& value, int levels) {
  if (!value.is_array() && !value.is_object()) return true;
  if (levels <= 0) return false;
  if (value.is_array()) {
    return std::all_of(value.as_array().begin(), value.as_array().end(),
                       [levels](const Value& element) { return nests_within(element, levels - 1); });
  }
  return std::all_of(value.as_object().begin(), value.as_object().end(),
                     [levels](const Object::Member& member) { return nests_within(member.second, levels - 1); });
}

bool write_json(const Value& value, std::string& out) {
  const std::size_t before = out.size();
  if (write(value, out, 0)) return true;
  out.resize(before);
  return false;
}

}  // namespace muster::core
