// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "core/clone.h"
#include "core/clone_format.h"
#include "core/number.h"
#include "core/utf8.h"

namespace muster::core {
namespace {

using namespace clone_format;

constexpr double latest_date = 8.64e15;
constexpr std::size_t free_holes = std::size_t{1} << 20;

// Compares values in a vector as the keys of a Map are, by their positions. An order, not a hash: a peer could choose keys
// that collide.
struct KeyOrder {
  const std::vector<std::pair<Value, Value>>& entries;

  bool operator()(std::size_t a, std::size_t b) const { return less(entries[a].first, entries[b].first); }

 private:
  static bool less(const Value& a, const Value& b) {
    if (a.kind() != b.kind()) return a.kind() < b.kind();
    switch (a.kind()) {
      case Value::Kind::undefined:
      case Value::Kind::null: return false;
      case Value::Kind::boolean: return a.as_bool() < b.as_bool();
      case Value::Kind::number: return less(a.as_number(), b.as_number());
      case Value::Kind::string: return a.as_string() < b.as_string();
      case Value::Kind::bigint: return less(a.as_bigint(), b.as_bigint());
      default: return std::less<const void*>()(a.identity(), b.identity());
    }
  }
  // Any NaN is the same, and before all numbers; so are the two zeros.
  static bool less(double a, double b) { return std::isnan(a) || std::isnan(b) ? std::isnan(a) && !std::isnan(b) : a < b; }
  static bool less(const BigInt& a, const BigInt& b) {
    if (a.negative() != b.negative()) return a.negative();
    return a.limbs() < b.limbs();
  }
};

class Reader {
 public:
  Reader(std::string_view frame, std::size_t max_values)
      : rest_(frame),
        values_left_(max_values),
        elements_left_(std::min(frame.size() + std::max(free_holes, frame.size()), std::max(free_holes, max_values))),
        view_bytes_left_(frame.size()) {}

  Reading<Value> document() {
    Reading<Value> value(std::in_place);
    if (!header() || !read(*value, 0)) value.reset();
    value.too_many_values = too_many_;
    return value;
  }

 private:
  // --- bytes ---

  bool byte(char& into) {
    if (rest_.empty()) return false;
    into = rest_[0];
    rest_.remove_prefix(1);
    return true;
  }

  bool bytes(std::size_t count, std::string_view& into) {
    if (count > rest_.size()) return false;
    into = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return true;
  }

  // As V8 reads it: zeros may follow, bits beyond the 32nd are lost, and the fifth byte is the last whatever
  // it says, if only there is another.
  bool varint(std::uint32_t& into) {
    into = 0;
    char c = '\x80';
    for (unsigned shift = 0; shift < 35 && (c & 0x80); shift += 7) {
      if (!byte(c)) return false;
      into |= static_cast<std::uint32_t>(c & 0x7f) << shift;
    }
    return !(c & 0x80) || !rest_.empty();
  }

  bool number(double& into) {
    std::string_view digits;
    if (!bytes(sizeof into, digits)) return false;
    std::memcpy(&into, digits.data(), sizeof into);
    return true;
  }

  bool counted_bytes(std::string_view& into) {
    std::uint32_t length = 0;
    return varint(length) && bytes(length, into);
  }

  bool header() {
    char first = 0;
    return byte(first) && first == tag::version && varint(version_) && version_ >= oldest_version && version_ <= latest_version;
  }

  void skip_padding() {
    while (!rest_.empty() && rest_[0] == tag::padding) rest_.remove_prefix(1);
  }

  // Takes the tag away if it is next.
  bool take(char expected) {
    skip_padding();
    if (rest_.empty() || rest_[0] != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool value_tag(char& into) {
    std::uint32_t ignored = 0;
    while (take(tag::object_count)) {
      if (!varint(ignored)) return false;
    }
    return byte(into);
  }

  // A count at the end of what was counted while it was read.
  bool confirm(std::size_t count) {
    std::uint32_t claimed = 0;
    return varint(claimed) && claimed == count;
  }

  // --- objects, by the order in which they begin ---

  std::size_t begin(const Value& object) {
    objects_.push_back({object, true});
    return objects_.size() - 1;
  }
  bool end(std::size_t id) {
    objects_[id].open = false;
    return true;
  }
  // One that holds no other.
  bool leaf(Value object, Value& into) {
    into = std::move(object);
    return end(begin(into));
  }

  bool reference(Value& into) {
    std::uint32_t id = 0;
    if (!varint(id) || id >= objects_.size() || objects_[id].value.is_undefined()) return false;
    const Begun& object = objects_[id];
    if (object.open) {
      into = object.value.weak();
    } else {
      into = object.value;
    }
    return true;
  }

  // --- values ---

  bool read(Value& into, int depth) {
    char next = 0;
    if (!value_tag(next)) return false;
    if (values_left_ == 0) {
      too_many_ = true;
      return false;
    }
    --values_left_;
    switch (next) {
      case tag::object: return depth < max_depth && object(into, depth);
      case tag::dense_array: return depth < max_depth && dense_array(into, depth);
      case tag::sparse_array: return depth < max_depth && sparse_array(into, depth);
      case tag::map: return depth < max_depth && map(into, depth);
      case tag::set: return depth < max_depth && set(into, depth);
      case tag::error: return depth < max_depth && error(into, depth);
      case tag::host_object: return depth < max_depth && host_object(into, depth);
      default: return read_flat(next, into);
    }
  }

  // What holds no other value. Not inlined, for what it needs of the stack would be taken for each level.
  [[gnu::noinline]] bool read_flat(char next, Value& into) {
    switch (next) {
      case tag::undefined: into = Undefined(); return true;
      case tag::null: into = nullptr; return true;
      case tag::true_value: into = true; return true;
      case tag::false_value: into = false; return true;
      case tag::int32:
      case tag::uint32:
      case tag::number: return any_number(next, into);
      case tag::bigint: return bigint(into);
      case tag::one_byte_string:
      case tag::two_byte_string:
      case tag::utf8_string: return string_value(next, into);
      case tag::reference: return reference(into) && view_of(into);
      case tag::date: return date(into);
      case tag::true_object: return leaf(Boxed{true}, into);
      case tag::false_object: return leaf(Boxed{false}, into);
      case tag::number_object: return number_object(into);
      case tag::bigint_object: return bigint(into) && leaf(Boxed{into.as_bigint()}, into);
      case tag::string_object: return string_object(into);
      case tag::regexp: return regexp(into);
      case tag::array_buffer:
      case tag::resizable_array_buffer: return array_buffer(next, into) && view_of(into);
      default: return false;
    }
  }

  bool any_number(char kind, Value& into) {
    std::uint32_t bits = 0;
    double number_read = 0;
    switch (kind) {
      case tag::int32:
        if (!varint(bits)) return false;
        into = static_cast<std::int32_t>((bits >> 1) ^ (0 - (bits & 1)));
        return true;
      case tag::uint32:
        if (!varint(bits)) return false;
        into = bits;
        return true;
      default:
        if (!number(number_read)) return false;
        into = number_read;
        return true;
    }
  }

  bool bigint(Value& into) {
    std::uint32_t bitfield = 0;
    std::string_view digits;
    if (!varint(bitfield) || !bytes((bitfield >> 1) & 0x3fffffff, digits)) return false;
    std::vector<std::uint64_t> limbs((digits.size() + 7) / 8);
    if (!digits.empty()) std::memcpy(limbs.data(), digits.data(), digits.size());
    const bool negative = bitfield & 1;
    if (negative && limbs.empty()) return false;
    into = BigInt(negative, std::move(limbs));
    return true;
  }

  bool characters(char kind, std::string& into) {
    std::string_view text;
    if (!counted_bytes(text)) return false;
    switch (kind) {
      case tag::one_byte_string: append_latin1(into, text); return true;
      case tag::two_byte_string: append_utf16le(into, text); return text.size() % 2 == 0;
      case tag::utf8_string: append_replacing_invalid(into, text); return true;
      default: return false;
    }
  }

  bool string(std::string& into) {
    char kind = 0;
    return value_tag(kind) && characters(kind, into);
  }

  bool string_value(char kind, Value& into) {
    std::string text;
    if (!characters(kind, text)) return false;
    into = std::move(text);
    return true;
  }

  // A number or a string.
  bool key(Value& into) {
    char kind = 0;
    if (!value_tag(kind)) return false;
    const bool numeric = kind == tag::int32 || kind == tag::uint32 || kind == tag::number;
    return numeric ? any_number(kind, into) : string_value(kind, into);
  }

  bool object(Value& into, int depth) {
    into = Value::object();
    const std::size_t id = begin(into);
    Object& members = into.as_object();
    while (!take(tag::end_object)) {
      Value name, value;
      if (!key(name) || !read(value, depth + 1)) return false;
      const std::size_t before = members.size();
      if (name.is_string()) {
        members.set(name.as_string(), std::move(value));
      } else {
        std::string digits;
        append_number(name.as_number(), digits);
        members.set(digits, std::move(value));
      }
      if (members.size() == before) return false;  // it was there
    }
    return confirm(members.size()) && end(id);
  }

  bool reserve_elements(std::uint32_t count) {
    if (count > elements_left_) return false;
    elements_left_ -= count;
    return true;
  }

  bool dense_array(Value& into, int depth) {
    std::uint32_t length = 0;
    if (!varint(length) || length > rest_.size() || !reserve_elements(length)) return false;
    into = Value::array();
    const std::size_t id = begin(into);
    Array& elements = into.as_array();
    elements.reserve(length);
    for (std::uint32_t i = 0; i < length; ++i) {
      Value element = Hole();
      if (!take(tag::hole) && !read(element, depth + 1)) return false;
      elements.push_back(std::move(element));
    }
    return array_properties(tag::end_dense_array, elements, depth) && end(id);
  }

  bool sparse_array(Value& into, int depth) {
    std::uint32_t length = 0;
    if (!varint(length) || !reserve_elements(length)) return false;
    into = Array(length, Hole());
    const std::size_t id = begin(into);
    return array_properties(tag::end_sparse_array, into.as_array(), depth) && end(id);
  }

  bool array_properties(char end_tag, Array& elements, int depth) {
    std::size_t count = 0;
    for (; !take(end_tag); ++count) {
      Value name, value;
      if (!key(name) || !read(value, depth + 1)) return false;
      const auto index = element_index(name);
      if (!index) continue;
      if (*index >= elements.size() || !elements[*index].is_hole()) return false;
      elements[*index] = std::move(value);
    }
    return confirm(count) && confirm(elements.size());
  }

  static std::optional<std::uint32_t> element_index(const Value& name) {
    if (name.is_string()) return array_index(name.as_string());
    const double number = name.as_number();
    if (!(number >= 0 && number < 0xffffffffU) || number != std::trunc(number)) return std::nullopt;
    return static_cast<std::uint32_t>(number);
  }

  bool date(Value& into) {
    double time = 0;
    if (!number(time)) return false;
    const bool valid = std::fabs(time) <= latest_date;
    return leaf(Date(valid ? std::trunc(time) + 0.0 : std::numeric_limits<double>::quiet_NaN()), into);
  }

  bool number_object(Value& into) {
    double value = 0;
    return number(value) && leaf(Boxed{value}, into);
  }

  bool string_object(Value& into) {
    std::string text;
    return string(text) && leaf(Boxed{std::move(text)}, into);
  }

  bool regexp(Value& into) {
    RegExp read;
    std::uint32_t bits = 0;
    if (!string(read.source) || !varint(bits)) return false;
    for (const auto& [letter, bit] : regexp_flags) {
      if (bits & bit) read.flags.push_back(letter);
      bits &= ~bit;
    }
    return bits == 0 && leaf(std::move(read), into);
  }

  // What Map and Set make of what they are given: of -0 they make 0, and what comes twice is set twice.
  class Keys {
   public:
    explicit Keys(std::vector<std::pair<Value, Value>>& entries) : entries_(entries), positions_(KeyOrder{entries}) {}

    void add(Value key, Value value) {
      if (key.is_number() && key.as_number() == 0) key = 0;
      entries_.emplace_back(std::move(key), std::move(value));
      const auto [position, added] = positions_.insert(entries_.size() - 1);
      if (added) return;
      entries_[*position].second = std::move(entries_.back().second);
      entries_.pop_back();
    }

   private:
    std::vector<std::pair<Value, Value>>& entries_;
    std::set<std::size_t, KeyOrder> positions_;
  };

  bool map(Value& into, int depth) {
    into = Map();
    const std::size_t id = begin(into);
    Keys entries(into.as_map().entries);
    std::size_t count = 0;
    for (; !take(tag::end_map); count += 2) {
      Value key, value;
      if (!read(key, depth + 1) || !read(value, depth + 1)) return false;
      entries.add(std::move(key), std::move(value));
    }
    return confirm(count) && end(id);
  }

  bool set(Value& into, int depth) {
    into = Set();
    const std::size_t id = begin(into);
    std::vector<std::pair<Value, Value>> entries;
    Keys values(entries);
    std::size_t count = 0;
    for (; !take(tag::end_set); ++count) {
      Value value;
      if (!read(value, depth + 1)) return false;
      values.add(std::move(value), {});
    }
    Set& result = into.as_set();
    result.values.reserve(entries.size());
    for (auto& entry : entries) result.values.push_back(std::move(entry.first));
    return confirm(count) && end(id);
  }

  bool array_buffer(char kind, Value& into) {
    const bool resizable = kind == tag::resizable_array_buffer;
    std::uint32_t length = 0, max_length = 0;
    std::string_view contents;
    if (!varint(length) || (resizable && !varint(max_length)) || !bytes(length, contents)) return false;
    ArrayBuffer buffer{std::string(contents)};
    if (resizable) {
      if (length > max_length) return false;
      buffer.max_size = max_length;
    }
    return leaf(std::move(buffer), into);
  }

  // V8's own way to write a view: behind the buffer it is of. Node has another, so none of its programs
  // sends it. A reference may stand for the buffer, so each byte could be asked for many times.
  bool view_of(Value& into) {
    if (!into.is_array_buffer() || !take(tag::view)) return true;
    std::uint32_t letter = 0, offset = 0, length = 0, flags = 0;
    if (!varint(letter) || !varint(offset) || !varint(length)) return false;
    if (version_ >= version_with_view_flags && !varint(flags)) return false;
    const ArrayBuffer& buffer = into.as_array_buffer();
    const auto* kind = std::find_if(std::begin(view_kinds), std::end(view_kinds), [letter](const ViewKind& known) {
      return known.letter != '\0' && static_cast<std::uint32_t>(known.letter) == letter;
    });
    if (kind == std::end(view_kinds) || (flags != 0 && !buffer.max_size)) return false;
    if (offset > buffer.bytes.size() || length > buffer.bytes.size() - offset || length > view_bytes_left_) return false;
    view_bytes_left_ -= length;
    View view{kind->type, buffer.bytes.substr(offset, length)};
    if (offset % view.element_size() != 0 || length % view.element_size() != 0) return false;
    return leaf(std::move(view), into);
  }

  bool host_object(Value& into, int depth) {
    std::uint32_t kind = 0;
    if (!varint(kind)) return false;
    if (kind == host_view) return node_view(into);
    if (kind != host_copy) return false;
    // The object has an id, which its copy cannot refer to, and then the copy has one.
    const std::size_t id = begin(Value());
    if (!read(into, depth + 1) || !into.identity()) return false;
    objects_[id].value = into;
    return end(id);
  }

  bool node_view(Value& into) {
    std::uint32_t index = 0;
    std::string_view contents;
    if (!varint(index) || index >= std::size(view_kinds) || !counted_bytes(contents)) return false;
    View view{view_kinds[index].type, {}};
    view.bytes = contents.substr(0, contents.size() - contents.size() % view.element_size());
    return leaf(std::move(view), into);
  }

  bool error(Value& into, int depth) {
    into = ErrorObject();
    const std::size_t id = begin(into);
    ErrorObject& error = into.as_error();
    // Up to version 21 Node writes the cause before the stack.
    for (std::uint32_t next = 0;;) {
      if (!varint(next)) return false;
      switch (static_cast<char>(next)) {
        case part::end: return end(id);
        case part::message:
          if (!string(error.message.emplace())) return false;
          break;
        case part::stack:
          if (!string(error.stack.emplace())) return false;
          break;
        case part::cause:
          if (Value cause; read(cause, depth + 1)) {
            error.cause = std::move(cause);
            break;
          }
          return false;
        default: {
          const auto* kind = std::find_if(std::begin(error_kinds), std::end(error_kinds),
                                          [next](const ErrorKind& known) { return known.letter == static_cast<char>(next); });
          if (kind == std::end(error_kinds)) return false;
          error.type = kind->type;
        }
      }
    }
  }

  struct Begun {
    Value value;
    bool open;  // what refers to it is inside of it
  };

  std::string_view rest_;
  std::uint32_t version_ = 0;
  std::vector<Begun> objects_;
  std::size_t values_left_;
  bool too_many_ = false;
  std::size_t elements_left_;
  std::size_t view_bytes_left_;
};

}  // namespace

Reading<Value> parse_clone(std::string_view frame, std::size_t max_values) { return Reader(frame, max_values).document(); }

}  // namespace muster::core
