#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace muster {

class Value;
class Object;
using Array = std::vector<Value>;

struct Undefined {
  friend bool operator==(Undefined, Undefined) = default;
};
struct Null {
  friend bool operator==(Null, Null) = default;
};

// A JavaScript value, as messages carry it.
//
// It behaves as in JavaScript: primitives are copied; a copy of an array or object names the same
// array or object, so copying is cheap and a change through one copy is seen through the other.
// clone() makes an independent one. == compares contents.
//
// Strings are UTF-8. A lone surrogate, which JavaScript allows, is kept as its three generalised
// UTF-8 bytes and is escaped when written. Numbers are doubles: integers are exact up to 2^53.
class Value {
 public:
  using Member = std::pair<std::string, Value>;

  Value() = default;  // undefined
  Value(const Value& other);
  Value(Value&& other) noexcept;
  Value& operator=(const Value& other);
  Value& operator=(Value&& other) noexcept;
  ~Value();
  Value(Undefined) {}
  Value(Null) : data_(Null{}) {}
  Value(std::nullptr_t) : data_(Null{}) {}
  Value(bool b) : data_(b) {}
  template <class N>
    requires(std::is_arithmetic_v<N> && !std::is_same_v<N, bool>)
  Value(N number) : data_(static_cast<double>(number)) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(Array elements);
  Value(Object members);
  // An object: Value{{"hi", "there"}, {"n", 3}}.
  Value(std::initializer_list<Member> members);

  static Value object();
  static Value array(std::initializer_list<Value> elements = {});

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_null() const { return std::holds_alternative<Null>(data_); }
  // undefined or null.
  bool is_nullish() const { return data_.index() <= 1; }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_number() const { return std::holds_alternative<double>(data_); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_array() const { return std::holds_alternative<std::shared_ptr<Array>>(data_); }
  bool is_object() const { return std::holds_alternative<std::shared_ptr<Object>>(data_); }

  // JavaScript's !!value.
  bool truthy() const;

  // Throw Exception(Errc::invalid_arg_type) for a value of another kind. What a peer sent may be of
  // any kind: test first, or use the forms with a fallback.
  bool as_bool() const;
  double as_number() const;
  const std::string& as_string() const;
  const Array& as_array() const;
  Array& as_array();
  const Object& as_object() const;
  Object& as_object();

  bool bool_or(bool fallback) const;
  double number_or(double fallback) const;
  std::string_view string_or(std::string_view fallback) const;

  // The member or element; undefined where there is none, also on a value that is not an object or
  // array, so that value["a"]["b"] never throws.
  const Value& operator[](std::string_view key) const;
  const Value& operator[](const char* key) const { return (*this)[std::string_view(key)]; }
  const Value& operator[](std::size_t index) const;
  const Value& operator[](int index) const { return (*this)[static_cast<std::size_t>(index)]; }
  // Members of an object, elements of an array, otherwise 0.
  std::size_t size() const;

  // Sets a member. Throws Exception(Errc::invalid_arg_type) on what is not an object.
  void set(std::string_view key, Value value);

  // An independent copy of everything below.
  Value clone() const;

  friend bool operator==(const Value& a, const Value& b);

  using Data = std::variant<Undefined, Null, bool, double, std::string, std::shared_ptr<Array>, std::shared_ptr<Object>>;
  const Data& data() const { return data_; }

 private:
  Data data_;
};

// The members of an object in the order they were added. Written to a channel they take
// JavaScript's order: keys that are array indices first, ascending.
class Object {
 public:
  using Member = Value::Member;
  using const_iterator = std::vector<Member>::const_iterator;

  Object() = default;
  Object(std::initializer_list<Member> members);

  std::size_t size() const { return members_.size(); }
  bool empty() const { return members_.empty(); }
  const_iterator begin() const { return members_.begin(); }
  const_iterator end() const { return members_.end(); }

  // Null when there is no such member.
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  // Adds a member, or gives an existing one a new value in its old place.
  void set(std::string_view key, Value value);
  // Returns whether there was such a member.
  bool erase(std::string_view key);

  // The members in JavaScript's order.
  std::vector<const Member*> ordered() const;

  // Members in any order.
  friend bool operator==(const Object& a, const Object& b);

 private:
  std::size_t position(std::string_view key) const;
  void index_all(std::size_t slots);

  std::vector<Member> members_;
  // Open addressing, position + 1 in each used slot. Empty while the object is small enough to search.
  std::vector<std::uint32_t> index_;
};

}  // namespace muster
