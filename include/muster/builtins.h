// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <muster/bigint.h>

// JavaScript's built-in objects that hold no other values, as messages carry them; those that do are
// in value.h. `advanced` serialization sends each as what it is, `json` as what JSON.stringify makes
// of it.
namespace muster {

// JavaScript's Date: milliseconds since 1970 in UTC, NaN when it is invalid. Node cuts off fractions,
// and takes more than 8.64e15 either way for invalid.
struct Date {
  double milliseconds = 0;

  Date() = default;
  explicit Date(double ms) : milliseconds(ms) {}
  Date(std::chrono::system_clock::time_point time);

  bool valid() const { return milliseconds - milliseconds == 0; }
  // Empty when the date is invalid or beyond what the clock's type can hold.
  std::optional<std::chrono::system_clock::time_point> time_point() const;
  // toISOString(): "2024-02-29T12:00:00.000Z". Empty when the date is invalid.
  std::string to_iso_string() const;

  // Two invalid dates are equal.
  friend bool operator==(const Date& a, const Date& b) {
    return a.milliseconds == b.milliseconds || (!(a.milliseconds == a.milliseconds) && !(b.milliseconds == b.milliseconds));
  }
};

// JavaScript's RegExp, which is carried and not run. A Node process that is sent a source or flags
// that JavaScript does not accept ends with an uncaught error.
struct RegExp {
  std::string source;
  std::string flags = {};  // of "dgimsuvy"; other letters are not sent

  friend bool operator==(const RegExp&, const RegExp&) = default;
};

// new Boolean(), new Number(), new String() and Object(1n): a primitive that is an object.
struct Boxed {
  std::variant<bool, double, std::string, BigInt> primitive;

  friend bool operator==(const Boxed&, const Boxed&) = default;
};

// JavaScript's ArrayBuffer.
struct ArrayBuffer {
  std::string bytes;
  // `maxByteLength` of a resizable one. Node 18 does not know those.
  std::optional<std::size_t> max_size = {};

  friend bool operator==(const ArrayBuffer&, const ArrayBuffer&) = default;
};

// A typed array, a DataView or Node's Buffer, with the bytes that it shows. Views of one ArrayBuffer do
// not stay so: each arrives with bytes of its own, as in Node.
struct View {
  enum class Type {
    int8,
    uint8,
    uint8_clamped,
    int16,
    uint16,
    int32,
    uint32,
    float32,
    float64,
    data_view,
    buffer,  // Node's Buffer
    bigint64,
    biguint64,
    float16,  // since Node 24; an earlier one ends with an uncaught error
  };

  Type type = Type::buffer;
  std::string bytes = {};  // the elements as this machine stores them

  // Node's Buffer.from().
  static View buffer(std::string_view bytes) { return {Type::buffer, std::string(bytes)}; }
  // The typed array of a C++ type: View::of<double>({1, 2}) is a Float64Array, of<std::int64_t> a
  // BigInt64Array.
  template <class T>
  static View of(const std::vector<T>& elements) {
    return {type_of<T>(), std::string(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T))};
  }
  // The bytes as elements of a C++ type, whatever `type` is. What is left over at the end is cut off.
  template <class T>
    requires std::integral<T> || std::floating_point<T> std::vector<T> elements()
  const {
    std::vector<T> all(bytes.size() / sizeof(T));
    if (!all.empty()) std::memcpy(all.data(), bytes.data(), all.size() * sizeof(T));
    return all;
  }

  // BYTES_PER_ELEMENT; 1 for a DataView.
  std::size_t element_size() const;
  // How many elements there are.
  std::size_t length() const { return bytes.size() / element_size(); }
  // The element as view[index] has it, of a bigint view the nearest number; NaN where there is none.
  double number_at(std::size_t index) const;

  friend bool operator==(const View&, const View&) = default;

 private:
  template <class T>
  static constexpr Type type_of() {
    if constexpr (std::same_as<T, float>) return Type::float32;
    if constexpr (std::same_as<T, double>) return Type::float64;
    if constexpr (std::same_as<T, std::int8_t>) return Type::int8;
    if constexpr (std::same_as<T, std::uint8_t>) return Type::uint8;
    if constexpr (std::same_as<T, std::int16_t>) return Type::int16;
    if constexpr (std::same_as<T, std::uint16_t>) return Type::uint16;
    if constexpr (std::same_as<T, std::int32_t>) return Type::int32;
    if constexpr (std::same_as<T, std::uint32_t>) return Type::uint32;
    if constexpr (std::same_as<T, std::int64_t>) return Type::bigint64;
    if constexpr (std::same_as<T, std::uint64_t>) return Type::biguint64;
  }
};

}  // namespace muster
