// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <muster/bigint.h>
#include <muster/builtins.h>

namespace muster {

class Value;
class Object;
struct Map;
struct Set;
struct ErrorObject;
using Array = std::vector<Value>;

struct Undefined {
  friend bool operator==(Undefined, Undefined) = default;
};
struct Null {
  friend bool operator==(Null, Null) = default;
};

// An element that an array does not have: [1,,3][1].
struct Hole {};

// A JavaScript value, as messages carry it.
//
// It behaves as in JavaScript: primitives are copied; a copy of an array, object, Map, Date ... names the
// same one, so copying is cheap and a change through one copy is seen through the other. clone() makes
// an independent one. == compares contents.
//
// Strings are UTF-8. A lone surrogate, which JavaScript allows, is kept as its three generalised
// UTF-8 bytes and is escaped when written. Numbers are doubles: integers are exact up to 2^53.
//
// Objects may lead back to themselves. Nobody collects garbage here, so where a message does that, the
// inner reference is weak: it names the outer object without keeping it alive, and everything goes when
// the last copy of the outermost value does. What is left of it then reads as undefined. A copy of a weak
// reference is a strong one, so `Value self = message.data["self"]` is as good as any. A program that
// builds a circle breaks it with weak() too: object.set("self", object.weak()).
class Value {
 public:
  using Member = std::pair<std::string, Value>;

  enum class Kind {
    undefined,  // a hole too
    null,
    boolean,
    number,
    string,
    bigint,
    // Those below are references.
    array,
    object,
    date,
    regexp,
    map,
    set,
    boxed,
    array_buffer,
    view,
    error,
  };

  Value() = default;  // undefined
  Value(const Value& other);
  Value(Value&& other) noexcept;
  Value& operator=(const Value& other);
  Value& operator=(Value&& other) noexcept;
  ~Value();
  Value(Undefined) {}
  Value(Hole) : data_(Hole{}) {}
  Value(Null) : data_(Null{}) {}
  Value(std::nullptr_t) : data_(Null{}) {}
  // Of nothing that merely converts to bool.
  template <std::same_as<bool> B>
  Value(B b) : data_(b) {}
  // Of 64 bits it has to be said: from 2^53 on not every whole number is a double. BigInt holds them all.
  template <class N>
    requires(std::is_arithmetic_v<N> && !std::is_same_v<N, bool>)
  explicit(std::is_integral_v<N> && sizeof(N) > 4) Value(N number) : data_(static_cast<double>(number)) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(BigInt number) : data_(std::move(number)) {}
  Value(Array elements);
  Value(Object members);
  Value(Date date);
  Value(RegExp regexp);
  Value(Map map);
  Value(Set set);
  Value(Boxed boxed);
  Value(ArrayBuffer buffer);
  Value(View view);
  Value(ErrorObject error);
  // An object: Value{{"hi", "there"}, {"n", 3}}.
  Value(std::initializer_list<Member> members);

  static Value object();
  static Value array(std::initializer_list<Value> elements = {});

  [[nodiscard]] Kind kind() const;
  [[nodiscard]] bool is_undefined() const { return kind() == Kind::undefined; }
  // An array's missing element, which is_undefined() and == take for undefined.
  [[nodiscard]] bool is_hole() const { return std::holds_alternative<Hole>(data_); }
  [[nodiscard]] bool is_null() const { return kind() == Kind::null; }
  // undefined or null.
  [[nodiscard]] bool is_nullish() const { return kind() <= Kind::null; }
  [[nodiscard]] bool is_bool() const { return kind() == Kind::boolean; }
  [[nodiscard]] bool is_number() const { return kind() == Kind::number; }
  [[nodiscard]] bool is_string() const { return kind() == Kind::string; }
  [[nodiscard]] bool is_bigint() const { return kind() == Kind::bigint; }
  [[nodiscard]] bool is_array() const { return kind() == Kind::array; }
  [[nodiscard]] bool is_object() const { return kind() == Kind::object; }
  [[nodiscard]] bool is_date() const { return kind() == Kind::date; }
  [[nodiscard]] bool is_regexp() const { return kind() == Kind::regexp; }
  [[nodiscard]] bool is_map() const { return kind() == Kind::map; }
  [[nodiscard]] bool is_set() const { return kind() == Kind::set; }
  [[nodiscard]] bool is_boxed() const { return kind() == Kind::boxed; }
  [[nodiscard]] bool is_array_buffer() const { return kind() == Kind::array_buffer; }
  [[nodiscard]] bool is_view() const { return kind() == Kind::view; }
  [[nodiscard]] bool is_error() const { return kind() == Kind::error; }

  // JavaScript's !!value.
  [[nodiscard]] bool truthy() const;

  // Throw Exception(Errc::invalid_arg_type) for a value of another kind. What a peer sent may be of
  // any kind: test first, or use the forms with a fallback.
  bool as_bool() const;
  double as_number() const;
  const std::string& as_string() const;
  const BigInt& as_bigint() const;
  const Array& as_array() const;
  Array& as_array();
  const Object& as_object() const;
  Object& as_object();
  const Date& as_date() const;
  Date& as_date();
  const RegExp& as_regexp() const;
  RegExp& as_regexp();
  const Map& as_map() const;
  Map& as_map();
  const Set& as_set() const;
  Set& as_set();
  const Boxed& as_boxed() const;
  Boxed& as_boxed();
  const ArrayBuffer& as_array_buffer() const;
  ArrayBuffer& as_array_buffer();
  const View& as_view() const;
  View& as_view();
  const ErrorObject& as_error() const;
  ErrorObject& as_error();

  [[nodiscard]] bool bool_or(bool fallback) const;
  [[nodiscard]] double number_or(double fallback) const;
  [[nodiscard]] std::string_view string_or(std::string_view fallback) const;

  // The member or element; undefined where there is none, also on a value that is not an object or
  // array, so that value["a"]["b"] never throws.
  const Value& operator[](std::string_view key) const;
  const Value& operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  const Value& operator[](std::size_t index) const;
  const Value& operator[](int index) const { return (*this)[static_cast<std::size_t>(index)]; }
  // Members of an object, elements of an array, Map or Set, otherwise 0.
  [[nodiscard]] std::size_t size() const;

  // Sets a member. Throws Exception(Errc::invalid_arg_type) on what is not an object.
  void set(std::string_view key, Value value);

  // A reference that does not keep alive what it names; a primitive is copied. Only moving keeps it
  // weak: put it in place with set() or push_back(), not in an initializer list.
  [[nodiscard]] Value weak() const;
  [[nodiscard]] bool is_weak() const;

  // The address that all references to one array, object ... share; null for a primitive.
  [[nodiscard]] const void* identity() const;
  // Whether they are the same to a Map or Set: references to one thing, or equal primitives, NaN among
  // them.
  [[nodiscard]] bool same(const Value& other) const;

  // An independent copy of everything below. What it holds twice, or leads back to itself, does so in the
  // copy.
  [[nodiscard]] Value clone() const;

  // The members of an object may be in any order, those of a Map or Set not.
  // JSON.stringify's text. What JSON cannot hold is left out of objects and null in arrays; undefined is null. Throws
  // Exception(Errc::invalid_arg_value) for a value that nests too deep or leads back to itself, or holds a bigint.
  [[nodiscard]] std::string to_json() const;
  // JSON.parse. Empty when the text is not JSON.
  static std::optional<Value> from_json(std::string_view text);

  friend bool operator==(const Value& a, const Value& b);

 private:
  // Shares an array, object, Date ..., or names it without keeping it alive. Names nothing when that has gone. One type for all
  // of them: a variant of so few is moved and destroyed by a branch, not through a table of functions.
  class Ref {
   public:
    Ref(Kind kind, std::shared_ptr<void> target) : kind_(kind), link_(std::move(target)) {}
    Ref(const Ref& other);  // strong
    Ref(Ref&& other) noexcept = default;
    Ref& operator=(Ref other) noexcept;
    ~Ref();

    [[nodiscard]] Kind kind() const { return kind_; }  // as long as there is something
    [[nodiscard]] void* get() const;
    [[nodiscard]] bool is_weak() const { return link_.index() == 1; }
    [[nodiscard]] Ref weak() const;

   private:
    Kind kind_;
    std::variant<std::shared_ptr<void>, std::weak_ptr<void>> link_;
  };

  explicit Value(Ref ref) : data_(std::move(ref)) {}
  template <class T>
  static Value refer(Kind kind, T target);
  template <class T>
  [[nodiscard]] T* target(Kind kind) const;
  template <class T>
  [[nodiscard]] T& target_or_throw(Kind kind) const;

  std::variant<Undefined, Hole, Null, bool, double, std::string, BigInt, Ref> data_;
};

// The members of an object in the order they were added. Written to a channel they take
// JavaScript's order: keys that are array indices first, ascending.
class Object {
 public:
  using Member = Value::Member;
  using const_iterator = std::vector<Member>::const_iterator;

  Object() = default;
  Object(std::initializer_list<Member> members);

  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] bool empty() const { return members_.empty(); }
  [[nodiscard]] const_iterator begin() const { return members_.begin(); }
  const_iterator end() const { return members_.end(); }

  // Null when there is no such member.
  [[nodiscard]] const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  // Adds a member, or gives an existing one a new value in its old place.
  void set(std::string_view key, Value value);
  // Returns whether there was such a member.
  bool erase(std::string_view key);

  // The members in JavaScript's order.
  [[nodiscard]] std::vector<const Member*> ordered() const;

  // Members in any order.
  friend bool operator==(const Object& a, const Object& b);

 private:
  [[nodiscard]] std::size_t position(std::string_view key) const;
  void index_all(std::size_t slots);

  std::vector<Member> members_;
  // Open addressing, position + 1 in each used slot. Empty while the object is small enough to search.
  std::vector<std::uint32_t> index_;
};

// JavaScript's Map: its entries in the order they were added, no key twice. Keys are compared by
// Value::same(), and -0 is kept as 0.
struct Map {
  std::vector<std::pair<Value, Value>> entries;

  // Null when there is no such key. Looks at one entry after the other.
  [[nodiscard]] const Value* find(const Value& key) const;
  // Adds an entry, or gives an existing one a new value in its old place.
  void set(Value key, Value value);
};

// JavaScript's Set: its values in the order they were added, none twice.
struct Set {
  std::vector<Value> values;

  // Looks at one value after the other.
  [[nodiscard]] bool has(const Value& value) const;
  void add(Value value);
};

// What a JavaScript program throws. Not muster::Error, which is what an `error` event brings. Other
// properties of an error, `code` among them, do not travel. A Node before 22 that is sent an error which
// its cause leads back to ends with an uncaught error.
struct ErrorObject {
  // By its `name`.
  enum class Type { error, eval_error, range_error, reference_error, syntax_error, type_error, uri_error };

  Type type = Type::error;
  std::optional<std::string> message = {};
  std::optional<std::string> stack = {};
  std::optional<Value> cause = {};

  // "TypeError".
  [[nodiscard]] std::string_view name() const;
};

// An array index in JavaScript: "0", "1", ... "4294967294", with no leading zero. Empty for another key.
std::optional<std::uint32_t> array_index(std::string_view key);

// Its JSON; of what has none, why: "[nested too deep]", "[holds a bigint]". A bigint by itself is 7n.
std::ostream& operator<<(std::ostream& out, const Value& value);

}  // namespace muster
