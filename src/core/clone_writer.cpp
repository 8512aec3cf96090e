// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <unordered_map>

#include "core/clone.h"
#include "core/clone_format.h"
#include "core/utf8.h"

namespace muster::core {
namespace {

using namespace clone_format;

constexpr std::size_t max_bigint_limbs = std::size_t{1} << 24;

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out), start_(out.size()) {}

  Written document(const Value& value) {
    out_.push_back(tag::version);
    varint(latest_version);
    if (!write(value, 0)) return failure_;
    return size() > max_payload ? Written::too_long : Written::whole;
  }

 private:
  bool fail(Written why) {
    failure_ = why;
    return false;
  }

  std::size_t size() const { return out_.size() - start_; }

  // --- bytes ---

  void byte(char c) { out_.push_back(c); }

  void varint(std::uint32_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<char>(value | 0x80));
    byte(static_cast<char>(value));
  }

  void raw(double number) {
    char bytes[sizeof number];
    // One NaN for all, V8's.
    if (std::isnan(number)) number = std::numeric_limits<double>::quiet_NaN();
    std::memcpy(bytes, &number, sizeof number);
    out_.append(bytes, sizeof bytes);
  }

  bool counted_bytes(std::string_view bytes) {
    if (bytes.size() > max_payload) return fail(Written::too_long);
    varint(static_cast<std::uint32_t>(bytes.size()));
    out_.append(bytes);
    return true;
  }

  bool count(std::size_t n) {
    if (n > max_payload) return fail(Written::too_long);
    varint(static_cast<std::uint32_t>(n));
    return true;
  }

  // --- values ---

  bool write(const Value& value, int depth) {
    if (value.kind() < Value::Kind::array) return primitive(value);
    // What may be met again: then its number is written.
    const auto [known, is_new] = ids_.try_emplace(value.identity(), static_cast<std::uint32_t>(ids_.size()));
    if (is_new) return object_like(value, depth);
    byte(tag::reference);
    varint(known->second);
    return true;
  }

  bool object_like(const Value& value, int depth) {
    switch (value.kind()) {
      case Value::Kind::array: return may_nest(depth) && array(value.as_array(), depth);
      case Value::Kind::object: return may_nest(depth) && object(value.as_object(), depth);
      case Value::Kind::map: return may_nest(depth) && map(value.as_map(), depth);
      case Value::Kind::set: return may_nest(depth) && set(value.as_set(), depth);
      case Value::Kind::error: return may_nest(depth) && error(value.as_error(), depth);
      default: return flat_object(value);
    }
  }

  bool may_nest(int depth) { return depth < max_depth || fail(Written::too_deep); }

  // These two hold no other value, and are not inlined for what they would take of each level's stack.
  [[gnu::noinline]] bool primitive(const Value& value) {
    switch (value.kind()) {
      case Value::Kind::null: byte(tag::null); return true;
      case Value::Kind::boolean: byte(value.as_bool() ? tag::true_value : tag::false_value); return true;
      case Value::Kind::number: number(value.as_number()); return true;
      case Value::Kind::string: return string(value.as_string());
      case Value::Kind::bigint: byte(tag::bigint); return bigint(value.as_bigint());
      default: byte(tag::undefined); return true;
    }
  }

  [[gnu::noinline]] bool flat_object(const Value& value) {
    switch (value.kind()) {
      case Value::Kind::date: return date(value.as_date());
      case Value::Kind::regexp: return regexp(value.as_regexp());
      case Value::Kind::boxed: return std::visit([this](const auto& p) { return boxed(p); }, value.as_boxed().primitive);
      case Value::Kind::array_buffer: return array_buffer(value.as_array_buffer());
      default: return view(value.as_view());
    }
  }

  void number(double value) {
    const bool integer = value >= INT32_MIN && value <= INT32_MAX && value == std::trunc(value);
    if (integer && !(value == 0 && std::signbit(value))) {
      const auto bits = static_cast<std::uint32_t>(static_cast<std::int32_t>(value));
      byte(tag::int32);
      varint((bits << 1) ^ (0 - (bits >> 31)));
    } else {
      byte(tag::number);
      raw(value);
    }
  }

  bool bigint(const BigInt& value) {
    const auto& limbs = value.limbs();
    if (limbs.size() > max_bigint_limbs) return fail(Written::too_long);
    varint(static_cast<std::uint32_t>(limbs.size() * sizeof limbs[0] * 2) | (value.negative() ? 1 : 0));
    out_.append(reinterpret_cast<const char*>(limbs.data()), limbs.size() * sizeof limbs[0]);
    return true;
  }

  bool string(std::string_view text) {
    if (text.size() > 3 * max_string) return fail(Written::too_long);
    const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    std::string recoded;
    const bool latin1 = ascii || recode_latin1(text, recoded);
    if (!latin1) recode_utf16(text, recoded);
    const std::string_view characters = ascii ? text : recoded;
    if (characters.size() / (latin1 ? 1 : 2) > max_string) return fail(Written::too_long);
    // What stands in two bytes begins at an even place.
    if (!latin1 && (size() + 1 + varint_size(characters.size())) % 2 != 0) byte(tag::padding);
    byte(latin1 ? tag::one_byte_string : tag::two_byte_string);
    return counted_bytes(characters);
  }

  static std::size_t varint_size(std::size_t value) {
    std::size_t size = 1;
    for (; value >= 0x80; value >>= 7) ++size;
    return size;
  }

  static bool recode_latin1(std::string_view text, std::string& out) {
    while (!text.empty()) {
      const std::uint32_t code = take_code_point(text);
      if (code > 0xff) return false;
      out.push_back(static_cast<char>(code));
    }
    return true;
  }

  static void recode_utf16(std::string_view text, std::string& out) {
    const auto unit = [&out](std::uint32_t code) {
      out.push_back(static_cast<char>(code));
      out.push_back(static_cast<char>(code >> 8));
    };
    out.clear();
    while (!text.empty()) {
      const std::uint32_t code = take_code_point(text);
      if (code >= 0x10000) {
        unit(0xd800 + ((code - 0x10000) >> 10));
        unit(0xdc00 + ((code - 0x10000) & 0x3ff));
      } else {
        unit(code);
      }
    }
  }

  bool object(const Object& members, int depth) {
    byte(tag::object);
    const auto write_all = [&](const Object& all) {
      const auto written = [&](const Object::Member* member) { return key(member->first) && write(member->second, depth + 1); };
      const auto ordered = all.ordered();
      return std::all_of(ordered.begin(), ordered.end(), written) && end(tag::end_object, all.size());
    };
    const auto regular = [](const Object::Member& member) { return is_regular(member.first); };
    return std::all_of(members.begin(), members.end(), regular) ? write_all(members) : write_all(with_regular_keys(members));
  }

  bool end(char end_tag, std::size_t n) {
    byte(end_tag);
    return count(n);
  }

  bool key(const std::string& name) {
    const auto index = array_index(name);
    if (!index) return string(name);
    number(*index);
    return true;
  }

  // Whether a string is what a reader will make of it. Different ones that are not may become the same,
  // and Node takes an object with a key twice for the end of the world.
  static bool is_regular(std::string_view text) {
    while (!text.empty()) {
      const std::size_t length = utf8_sequence(text);
      if (length == 0) return false;
      text.remove_prefix(length);
    }
    return true;
  }

  static Object with_regular_keys(const Object& members) {
    Object result;
    for (const auto& [name, value] : members) {
      std::string utf16, regular;
      recode_utf16(name, utf16);
      append_utf16le(regular, utf16);
      result.set(regular, value);
    }
    return result;
  }

  bool array(const Array& elements, int depth) {
    byte(tag::dense_array);
    if (!count(elements.size())) return false;
    for (const Value& element : elements) {
      if (element.is_hole()) {
        byte(tag::hole);
      } else if (!write(element, depth + 1)) {
        return false;
      }
    }
    byte(tag::end_dense_array);
    return count(0) && count(elements.size());
  }

  bool date(const Date& date) {
    byte(tag::date);
    raw(date.milliseconds);
    return true;
  }

  bool regexp(const RegExp& regexp) {
    std::uint32_t bits = 0;
    for (const auto& [letter, bit] : regexp_flags) {
      if (regexp.flags.find(letter) != std::string::npos) bits |= bit;
    }
    byte(tag::regexp);
    return string(regexp.source) && count(bits);
  }

  bool map(const Map& map, int depth) {
    byte(tag::map);
    const auto written = [&](const auto& entry) { return write(entry.first, depth + 1) && write(entry.second, depth + 1); };
    return std::all_of(map.entries.begin(), map.entries.end(), written) && end(tag::end_map, 2 * map.entries.size());
  }

  bool set(const Set& set, int depth) {
    byte(tag::set);
    const auto written = [&](const Value& value) { return write(value, depth + 1); };
    return std::all_of(set.values.begin(), set.values.end(), written) && end(tag::end_set, set.values.size());
  }

  bool boxed(bool b) {
    byte(b ? tag::true_object : tag::false_object);
    return true;
  }
  bool boxed(double number) {
    byte(tag::number_object);
    raw(number);
    return true;
  }
  bool boxed(const std::string& text) {
    byte(tag::string_object);
    return string(text);
  }
  bool boxed(const BigInt& number) {
    byte(tag::bigint_object);
    return bigint(number);
  }

  bool array_buffer(const ArrayBuffer& buffer) {
    if (!buffer.max_size) {
      byte(tag::array_buffer);
      return counted_bytes(buffer.bytes);
    }
    byte(tag::resizable_array_buffer);
    if (!count(buffer.bytes.size())) return false;
    // How far it may grow is not how much there is: it may be more than a message holds.
    if (*buffer.max_size > UINT32_MAX) return fail(Written::too_long);
    varint(static_cast<std::uint32_t>(std::max(*buffer.max_size, buffer.bytes.size())));
    out_.append(buffer.bytes);
    return true;
  }

  bool view(const View& view) {
    byte(tag::host_object);
    varint(host_view);
    const auto* kind = std::find_if(std::begin(view_kinds), std::end(view_kinds),
                                    [&](const ViewKind& known) { return known.type == view.type; });
    varint(static_cast<std::uint32_t>(kind - std::begin(view_kinds)));
    return counted_bytes(std::string_view(view.bytes).substr(0, view.length() * view.element_size()));
  }

  bool error(const ErrorObject& error, int depth) {
    byte(tag::error);
    for (const auto& [type, letter] : error_kinds) {
      if (type == error.type) byte(letter);
    }
    // Since version 22 Node reads them in this order only.
    if (error.message && !(byte(part::message), string(*error.message))) return false;
    if (error.stack && !(byte(part::stack), string(*error.stack))) return false;
    if (error.cause && !(byte(part::cause), write(*error.cause, depth + 1))) return false;
    byte(part::end);
    return true;
  }

  std::string& out_;
  std::size_t start_;
  std::unordered_map<const void*, std::uint32_t> ids_;
  Written failure_ = Written::whole;
};

}  // namespace

Written write_clone(const Value& value, std::string& out) {
  const std::size_t before = out.size();
  const Written written = Writer(out).document(value);
  if (written != Written::whole) out.resize(before);
  return written;
}

}  // namespace muster::core
