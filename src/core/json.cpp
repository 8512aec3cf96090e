// SPDX-License-Identifier: MIT
#include "core/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <unordered_set>

#include "core/number.h"
#include "core/utf8.h"

namespace muster::core {
namespace {

constexpr std::size_t large_string = 4096;

// How many bytes at the front of `text` stand for themselves in a JSON string: ASCII without control characters, quotes and
// backslashes. Eight at a time, for most text is nothing else.
std::size_t plain_run(std::string_view text) {
  constexpr std::uint64_t ones = 0x0101010101010101, high = ones * 0x80;
  const auto has_zero = [](std::uint64_t word) { return (word - ones) & ~word & high; };
  std::size_t run = 0;
  for (; run + sizeof(std::uint64_t) <= text.size(); run += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + run, sizeof word);
    const std::uint64_t control = (word - ones * 0x20) & ~word & high;
    if ((word & high) | control | has_zero(word ^ ones * '"') | has_zero(word ^ ones * '\\')) break;
  }
  while (run < text.size() && static_cast<unsigned char>(text[run]) >= 0x20 && static_cast<unsigned char>(text[run]) < 0x80 &&
         text[run] != '"' && text[run] != '\\') {
    ++run;
  }
  return run;
}

class Parser {
 public:
  Parser(std::string_view text, std::size_t max_values) : rest_(text), values_left_(max_values) {}

  Reading<Value> document() {
    Reading<Value> value(std::in_place);
    const bool valid = read(*value, 0);
    skip_space();
    if (!valid || !rest_.empty()) value.reset();
    value.too_many_values = too_many_;
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
    if (values_left_ == 0) {
      too_many_ = true;
      return false;
    }
    --values_left_;
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
      std::size_t run = plain_run(rest_);
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
  std::size_t values_left_;
  bool too_many_ = false;
};

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out), limit_(out.size() + max_string) {}

  Written write(const Value& value, int depth) {
    switch (value.kind()) {
      case Value::Kind::undefined:
      case Value::Kind::null: out_ += "null"; return Written::whole;
      case Value::Kind::boolean: boolean(value.as_bool()); return Written::whole;
      case Value::Kind::number: number(value.as_number()); return Written::whole;
      case Value::Kind::string: write_json_string(value.as_string(), out_); return Written::whole;
      case Value::Kind::bigint: return Written::has_bigint;
      case Value::Kind::array: return array(value.as_array(), depth);
      case Value::Kind::object: return object(value.as_object(), depth);
      case Value::Kind::date: date(value.as_date()); return Written::whole;
      case Value::Kind::boxed:
        return std::visit([this](const auto& primitive) { return boxed(primitive); }, value.as_boxed().primitive);
      case Value::Kind::view: return view(value.as_view());
      // What they hold is not in properties, and those are all that JSON.stringify looks at.
      case Value::Kind::regexp:
      case Value::Kind::map:
      case Value::Kind::set:
      case Value::Kind::array_buffer:
      case Value::Kind::error: break;
    }
    out_ += "{}";
    return Written::whole;
  }

 private:
  void boolean(bool b) { out_ += b ? "true" : "false"; }

  void number(double value) {
    if (std::isfinite(value)) {
      append_number(value, out_);
    } else {
      out_ += "null";
    }
  }

  // What holds the same array twice at each of many levels is short in memory and endless in JSON.
  Written may_open(int depth) const {
    if (depth >= max_depth) return Written::too_deep;
    return out_.size() > limit_ ? Written::too_long : Written::whole;
  }

  Written array(const Array& elements, int depth) {
    if (const Written may = may_open(depth); may != Written::whole) return may;
    out_.push_back('[');
    bool first = true;
    for (const Value& element : elements) {
      if (!first) out_.push_back(',');
      first = false;
      if (const Written written = write(element, depth + 1); written != Written::whole) return written;
    }
    out_.push_back(']');
    return Written::whole;
  }

  Written object(const Object& members, int depth) {
    if (const Written may = may_open(depth); may != Written::whole) return may;
    out_.push_back('{');
    bool first = true;
    for (const Object::Member* member : members.ordered()) {
      if (member->second.is_undefined()) continue;
      if (!first) out_.push_back(',');
      first = false;
      write_json_string(member->first, out_);
      out_.push_back(':');
      if (const Written written = write(member->second, depth + 1); written != Written::whole) return written;
    }
    out_.push_back('}');
    return Written::whole;
  }

  void date(const Date& date) {
    if (const std::string text = date.to_iso_string(); !text.empty()) {
      write_json_string(text, out_);
    } else {
      out_ += "null";
    }
  }

  Written boxed(bool b) { return boolean(b), Written::whole; }
  Written boxed(double value) { return number(value), Written::whole; }
  Written boxed(const std::string& text) { return write_json_string(text, out_), Written::whole; }
  Written boxed(const BigInt&) { return Written::has_bigint; }

  Written view(const View& view) {
    using Type = View::Type;
    const std::size_t length = view.type == Type::data_view ? 0 : view.length();
    if (length != 0 && (view.type == Type::bigint64 || view.type == Type::biguint64)) return Written::has_bigint;
    const bool buffer = view.type == Type::buffer;
    out_ += buffer ? R"({"type":"Buffer","data":[)" : "{";
    for (std::size_t i = 0; i < length; ++i) {
      if (i != 0) out_.push_back(',');
      if (!buffer) out_ += '"' + std::to_string(i) + "\":";
      number(view.number_at(i));
    }
    out_ += buffer ? "]}" : "}";
    return Written::whole;
  }

  std::string& out_;
  std::size_t limit_;
};

// Whether `value` is a tree that nests at most `levels` deep, of what every serialization can write.
class Tree {
 public:
  bool holds(const Value& value, int levels) {
    switch (value.kind()) {
      case Value::Kind::array:
        return enter(value, levels) && std::all_of(value.as_array().begin(), value.as_array().end(),
                                                   [&](const Value& element) { return holds(element, levels - 1); });
      case Value::Kind::object:
        return enter(value, levels) &&
               std::all_of(value.as_object().begin(), value.as_object().end(),
                           [&](const Object::Member& member) { return holds(member.second, levels - 1); });
      default: return value.kind() < Value::Kind::bigint;
    }
  }

 private:
  bool enter(const Value& value, int levels) { return levels > 0 && entered_.insert(value.identity()).second; }

  std::unordered_set<const void*> entered_;
};

void write_u_escape(std::uint32_t code, std::string& out) {
  constexpr char hex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(hex[(code >> shift) & 0xf]);
}

}  // namespace

Reading<Value> parse_json(std::string_view text, std::size_t max_values) { return Parser(text, max_values).document(); }

void write_json_string(std::string_view text, std::string& out) {
  // Not doubled by and by: a long string is then in memory twice at most, here and in its value. And one that is all there is
  // needs its room but once.
  if (text.size() > large_string || out.empty()) out.reserve(out.size() + text.size() + 3);
  out.push_back('"');
  while (!text.empty()) {
    const std::size_t run = plain_run(text);
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

bool is_plain_tree(const Value& value, int levels) { return Tree().holds(value, levels); }

Written write_json(const Value& value, std::string& out) {
  const std::size_t before = out.size();
  const Written written = Writer(out).write(value, 0);
  if (written != Written::whole) out.resize(before);
  return written;
}

}  // namespace muster::core
