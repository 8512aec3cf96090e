// SPDX-License-Identifier: MIT
#include "core/clone.h"

#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <limits>
#include <random>

namespace muster::core {
namespace {

// "6f 22 01" are bytes, and what stands in quotes is text.
std::string bytes(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text[0] == ' ') {
      text.remove_prefix(1);
    } else if (text[0] == '\'') {
      const std::size_t end = text.find('\'', 1);
      out += text.substr(1, end - 1);
      text.remove_prefix(end + 1);
    } else {
      out.push_back(static_cast<char>(std::stoi(std::string(text.substr(0, 2)), nullptr, 16)));
      text.remove_prefix(2);
    }
  }
  return out;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x ", static_cast<unsigned>(static_cast<unsigned char>(c)));
    text += digits;
  }
  return text;
}

const std::string v15 = "\xff\x0f";

std::optional<Value> parsed(std::string_view text) { return parse_clone(v15 + bytes(text)); }

std::string written(const Value& value) {
  std::string out;
  EXPECT_EQ(write_clone(value, out), Written::whole);
  return out;
}

std::string zeros(int n) {
  std::string text;
  for (int i = 0; i < n; ++i) text += " 00";
  return text;
}

Value twice(const Value& value) { return Value(Array{value, value}); }

Value circle() {
  Value value = Value::object();
  value.set("self", value.weak());
  return value;
}

ErrorObject error(ErrorObject::Type type, std::optional<std::string> message, std::optional<std::string> stack,
                  std::optional<Value> cause = {}) {
  return {type, std::move(message), std::move(stack), std::move(cause)};
}

struct Example {
  std::string bytes;
  Value value;
};

Value shared_in_circles() {
  const Value a = Value::object();
  const Value b = Array{a};
  return Value{{"x", b}, {"y", a}, {"z", b}};
}

// As Node writes them.
std::vector<Example> examples() {
  using Type = ErrorObject::Type;
  const double infinity = std::numeric_limits<double>::infinity();
  const std::int64_t one[] = {1};
  const std::vector<std::int64_t> one64(one, one + 1);
  const std::uint64_t limb = 1;
  const Value date = Date(0), buffer = View::buffer("a"), regexp = RegExp{"a"};
  return {
      // strings
      {"22 00", ""},
      {"22 01 e9", "é"},
      {"63 02 ac 20", "€"},
      {"63 04 61 00 ac 20", "a€"},
      {"63 04 3d d8 00 de", "😀"},
      {"63 02 3d d8", "\xed\xa0\xbd"},
      {"22 80 01 '" + std::string(128, 'x') + "'", std::string(128, 'x')},
      {"6f 22 01 'a' 63 02 ac 20 7b 01", Value{{"a", "€"}}},
      {"6f 22 02 'ab' 00 63 02 ac 20 7b 01", Value{{"ab", "€"}}},
      {"6f 00 63 02 ac 20 49 02 7b 01", Value{{"€", 1}}},
      // oddballs and numbers
      {"5f", Undefined()},
      {"30", nullptr},
      {"54", true},
      {"46", false},
      {"49 00", 0},
      {"49 02", 1},
      {"49 01", -1},
      {"49 7e", 63},
      {"49 80 01", 64},
      {"49 7f", -64},
      {"49 81 01", -65},
      {"49 fe 7f", 8191},
      {"49 80 80 01", 8192},
      {"49 fe ff ff ff 0f", 2147483647},
      {"49 ff ff ff ff 0f", -2147483648.0},
      {"4e 00 00 00 00 00 00 e0 41", 2147483648.0},
      {"4e 00 00 00 00 00 00 f8 3f", 1.5},
      {"4e 00 00 00 00 00 00 00 80", -0.0},
      {"4e 00 00 00 00 00 00 f8 7f", std::nan("")},
      {"4e 00 00 00 00 00 00 f0 7f", infinity},
      {"4e 00 00 00 00 00 00 f0 ff", -infinity},
      // objects
      {"6f 7b 00", Value::object()},
      {"6f 22 01 'a' 49 02 7b 01", Value{{"a", 1}}},
      {"6f 22 01 'a' 5f 7b 01", Value{{"a", Undefined()}}},
      {"6f 49 02 49 08 49 04 49 04 22 01 'b' 49 02 22 01 'a' 49 06 7b 04", Value{{"b", 1}, {"2", 2}, {"a", 3}, {"1", 4}}},
      {"6f 4e 00 00 c0 ff ff ff ef 41 49 02 7b 01", Value{{"4294967294", 1}}},
      {"6f 22 0a '4294967295' 49 02 7b 01", Value{{"4294967295", 1}}},
      // arrays
      {"41 00 24 00 00", Value::array()},
      {"41 02 49 02 49 04 24 00 02", Value::array({1, 2})},
      {"41 02 49 02 22 01 'a' 24 00 02", Value::array({1, "a"})},
      {"41 02 4e 00 00 00 00 00 00 f8 3f 4e 00 00 00 00 00 00 04 40 24 00 02", Value::array({1.5, 2.5})},
      {"41 01 5f 24 00 01", Value::array({Undefined()})},
      {"41 03 49 02 2d 49 06 24 00 03", Value::array({1, Hole(), 3})},
      // views and buffers
      {"5c 00 0a 00", View::buffer("")},
      {"6f 22 01 'v' 5c 00 0a 03 'abc' 7b 01", Value{{"v", View::buffer("abc")}}},
      {"6f 22 01 'v' 5c 00 01 03 01 02 03 7b 01", Value{{"v", View::of<std::uint8_t>({1, 2, 3})}}},
      {"6f 22 01 'v' 5c 00 03 02 01 00 7b 01", Value{{"v", View::of<std::int16_t>({1})}}},
      {"6f 22 01 'v' 5c 00 08 08 00 00 00 00 00 00 f0 3f 7b 01", Value{{"v", View::of<double>({1})}}},
      {"6f 22 01 'v' 5c 00 09 02 00 00 7b 01", Value{{"v", View{View::Type::data_view, std::string(2, '\0')}}}},
      {"6f 22 01 'v' 5c 00 0b 08 01 00 00 00 00 00 00 00 7b 01", Value{{"v", View::of(one64)}}},
      {"6f 22 01 'v' 5c 00 0d 02 00 3c 7b 01", Value{{"v", View{View::Type::float16, bytes("00 3c")}}}},
      {"6f 22 01 'v' 42 03 01 02 03 7b 01", Value{{"v", ArrayBuffer{"\1\2\3"}}}},
      {"6f 22 01 'v' 7e 02 04 00 00 7b 01", Value{{"v", ArrayBuffer{std::string(2, '\0'), 4}}}},
      // bigints
      {"5a 00", BigInt()},
      {"5a 10 01 00 00 00 00 00 00 00", BigInt(1)},
      {"5a 11 01 00 00 00 00 00 00 00", BigInt(-1)},
      {"5a 20" + zeros(8) + " 01" + zeros(7), BigInt(false, {0, limb})},
      {"5a 21" + zeros(8) + " 01" + zeros(7), BigInt(true, {0, limb})},
      // dates and regular expressions
      {"44" + zeros(8), Date(0)},
      {"44 00 00 00 00 00 00 f8 7f", Date(std::nan(""))},
      {"52 22 01 'a' 03", RegExp{"a", "gi"}},
      {"52 00 63 02 ac 20 10", RegExp{"€", "u"}},
      {"52 22 01 'x' 80 01", RegExp{"x", "d"}},
      {"52 22 01 'x' 80 02", RegExp{"x", "v"}},
      {"52 22 01 'x' bf 01", RegExp{"x", "dgimsuy"}},
      // maps and sets
      {"3b 22 01 'a' 49 02 49 04 6f 7b 00 3a 04", Map{{{"a", 1}, {2, Value::object()}}}},
      {"27 49 02 22 01 'b' 2c 02", Set{{1, "b"}}},
      {"3b 3a 00", Map()},
      {"27 2c 00", Set()},
      // boxed primitives
      {"41 02 79 78 24 00 02", Value::array({Boxed{true}, Boxed{false}})},
      {"41 01 6e 00 00 00 00 00 00 f0 3f 24 00 01", Value::array({Boxed{1.0}})},
      {"41 02 73 22 01 'a' 73 00 63 02 ac 20 24 00 02", Value::array({Boxed{"a"}, Boxed{"€"}})},
      {"41 01 7a 10 01 00 00 00 00 00 00 00 24 00 01", Value::array({Boxed{BigInt(1)}})},
      // errors
      {"72 6d 22 04 'boom' 73 22 01 'S' 2e", error(Type::error, "boom", "S")},
      {"72 54 6d 22 01 't' 73 22 01 'S' 2e", error(Type::type_error, "t", "S")},
      {"72 45 2e", error(Type::eval_error, {}, {})},
      {"72 52 2e", error(Type::range_error, {}, {})},
      {"72 46 2e", error(Type::reference_error, {}, {})},
      {"72 53 2e", error(Type::syntax_error, {}, {})},
      {"72 55 2e", error(Type::uri_error, {}, {})},
      {"72 73 22 01 'S' 2e", error(Type::error, {}, "S")},
      {"72 6d 22 01 'm' 2e", error(Type::error, "m", {})},
      {"72 6d 22 01 'm' 73 22 01 'S' 63 6f 22 01 'c' 49 02 7b 01 2e", error(Type::error, "m", "S", Value{{"c", 1}})},
      {"72 63 5f 2e", error(Type::error, {}, {}, Value())},
      // the same thing twice
      {"41 02 6f 7b 00 5e 01 24 00 02", twice(Value::object())},
      {"6f 22 04 'self' 5e 00 7b 01", circle()},
      {"6f 22 01 'x' 41 01 6f 7b 00 24 00 01 22 01 'y' 5e 02 22 01 'z' 5e 01 7b 03", shared_in_circles()},
      {"41 02 5c 00 0a 01 'a' 5e 01 24 00 02", twice(buffer)},
      {"41 03 44" + zeros(8) + " 5e 01 6f 7b 00 24 00 03", Array{date, date, Value::object()}},
      {"41 03 52 22 01 'a' 00 5e 01 6f 7b 00 24 00 03", Array{regexp, regexp, Value::object()}},
      {"41 02 22 03 'abc' 22 03 'abc' 24 00 02", twice("abc")},
      {"41 02 5a 00 5a 00 24 00 02", twice(BigInt())},
      // what is said on the channel
      {"6f 22 03 'cmd' 22 0c 'NODE_CLUSTER' 22 03 'act' 22 06 'online' 22 03 'seq' 49 00 7b 03",
       Value{{"cmd", "NODE_CLUSTER"}, {"act", "online"}, {"seq", 0}}},
      {"6f 22 03 'cmd' 22 0f 'NODE_HANDLE_ACK' 7b 01", Value{{"cmd", "NODE_HANDLE_ACK"}}},
      {"6f 22 05 'errno' 49 c5 01 7b 01", Value{{"errno", -99}}},
  };
}

TEST(WriteClone, WritesWhatNodeWrites) {
  for (const Example& example : examples()) EXPECT_EQ(hex(written(example.value)), hex(v15 + bytes(example.bytes)));
}

TEST(ParseClone, ReadsWhatNodeWrites) {
  for (const Example& example : examples()) {
    const auto value = parsed(example.bytes);

    ASSERT_TRUE(value) << example.bytes;
    EXPECT_EQ(value->kind(), example.value.kind()) << example.bytes;
    EXPECT_TRUE(value->same(example.value) || *value == example.value) << example.bytes;
    // The bytes tell apart what == does not: zeros, holes, what is shared.
    EXPECT_EQ(hex(written(*value)), hex(v15 + bytes(example.bytes)));
  }
}

TEST(ParseClone, RefusesEveryExampleThatIsCutShort) {
  for (const Example& example : examples()) {
    const std::string whole = v15 + bytes(example.bytes);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_FALSE(parse_clone(std::string(whole, 0, length))) << example.bytes << " up to " << length;
    }
  }
}

TEST(ParseClone, IgnoresWhatComesAfterTheValue) {
  for (const Example& example : examples()) {
    EXPECT_TRUE(parsed(example.bytes + " ff 00 'anything'")) << example.bytes;
  }
}

// --- what Node writes otherwise than we do, or might ---

void expect_same(std::string_view text, std::string_view canonical) {
  const auto value = parsed(text);

  ASSERT_TRUE(value) << text;
  EXPECT_EQ(hex(written(*value)), hex(v15 + bytes(canonical))) << text;
}

TEST(ParseClone, TakesTheThreeVersionsThatNodeTakes) {
  for (const char* version : {"ff 0d", "ff 0e", "ff 0f", "ff 8f 00"}) {
    EXPECT_EQ(parse_clone(bytes(version) + "T"), Value(true)) << version;
  }
  for (const char* version : {"", "ff", "ff 00", "ff 0c", "ff 10", "ff ff ff ff ff 0f", "0f", "00 ff 0f"}) {
    EXPECT_FALSE(parse_clone(bytes(version) + "T")) << version;
  }
}

TEST(ParseClone, TakesANumberInAnyOfThreeWays) {
  expect_same("55 01", "49 02");
  expect_same("4e 00 00 00 00 00 00 f0 3f", "49 02");
  expect_same("49 82 80 00", "49 02");
  expect_same("41 01 49 82 80 80 80 80 24 00 01", "41 01 49 02 24 00 01");
  expect_same("55 ff ff ff ff 0f", "4e 00 00 e0 ff ff ff ef 41");
  expect_same("4e 01 00 00 00 00 00 f8 ff", "4e 00 00 00 00 00 00 f8 7f");
}

TEST(ParseClone, TakesAStringInAnyOfThreeWays) {
  expect_same("63 02 61 00", "22 01 61");
  expect_same("53 02 c3 a9", "22 01 e9");
  expect_same("53 03 61 ff 62", "63 06 61 00 fd ff 62 00");
  expect_same("6f 63 02 61 00 49 02 7b 01", "6f 22 01 61 49 02 7b 01");
  expect_same("6f 53 01 61 49 02 7b 01", "6f 22 01 61 49 02 7b 01");
  expect_same("63 00", "22 00");
}

TEST(ParseClone, TakesAKeyThatIsAnyNumber) {
  expect_same("6f 55 01 30 7b 01", "6f 49 02 30 7b 01");
  expect_same("6f 4e 00 00 00 00 00 00 f8 3f 30 7b 01", "6f 22 03 '1.5' 30 7b 01");
  expect_same("6f 49 01 30 7b 01", "6f 22 02 '-1' 30 7b 01");
  expect_same("6f 4e 00 00 00 00 00 00 f8 7f 30 7b 01", "6f 22 03 'NaN' 30 7b 01");
  expect_same("6f 4e 00 00 00 00 00 00 f0 ff 30 7b 01", "6f 22 09 '-Infinity' 30 7b 01");
  expect_same("6f 4e 00 00 00 00 00 00 00 80 30 7b 01", "6f 49 00 30 7b 01");
}

TEST(ParseClone, SkipsPaddingAndObjectCounts) {
  expect_same("00 00 54", "54");
  expect_same("3f 07 54", "54");
  expect_same("00 3f 80 01 00 3f 01 6f 00 00 22 01 61 00 54 00 7b 01", "6f 22 01 61 54 7b 01");
  expect_same("41 02 00 2d 00 54 00 24 00 02", "41 02 2d 54 24 00 02");
  expect_same("3b 00 3a 00", "3b 3a 00");
}

TEST(ParseClone, TakesASparseArray) {
  expect_same("61 03 49 00 49 02 49 04 49 06 40 02 03", "41 03 49 02 2d 49 06 24 00 03");
  expect_same("61 03 40 00 03", "41 03 2d 2d 2d 24 00 03");
  expect_same("61 02 49 00 49 02 49 02 49 04 40 02 02", "41 02 49 02 49 04 24 00 02");
  expect_same("61 01 22 01 '0' 49 02 40 01 01", "41 01 49 02 24 00 01");
  const auto wide = parsed("61 a1 8d 06 49 c0 9a 0c 49 02 40 01 a1 8d 06");
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->size(), 100'001U);
  EXPECT_EQ((*wide)[100'000], Value(1));
  EXPECT_TRUE((*wide)[0].is_hole());
}

TEST(ParseClone, DropsPropertiesOfArraysThatAreNotElements) {
  expect_same("41 01 49 02 22 01 'p' 49 04 24 01 01", "41 01 49 02 24 00 01");
  expect_same("61 01 22 01 'p' 6f 7b 00 49 00 5e 01 40 02 01", "41 01 6f 7b 00 24 00 01");
  expect_same("41 01 2d 49 00 54 24 01 01", "41 01 54 24 00 01");
}

TEST(ParseClone, TakesV8sOwnWayToWriteAView) {
  expect_same("42 04 01 02 03 04 56 42 01 02 00", "5c 00 01 02 02 03");
  expect_same("42 04 01 02 03 04 56 77 02 02 00", "5c 00 03 02 03 04");
  expect_same("42 02 01 02 56 3f 00 01 00", "5c 00 09 01 01");
  expect_same("42 02 01 02 00 56 62 00 02 00", "5c 00 00 02 01 02");
  expect_same("7e 02 04 01 02 56 62 00 02 03", "5c 00 00 02 01 02");
  // The buffer has an id of its own.
  expect_same("41 02 42 01 07 56 42 00 01 00 5e 02 24 00 02", "41 02 5c 00 01 01 07 5e 01 24 00 02");
  expect_same("41 02 42 01 07 56 42 00 01 00 5e 01 24 00 02", "41 02 5c 00 01 01 07 42 01 07 24 00 02");
  expect_same("41 02 42 01 07 5e 01 56 42 00 01 00 24 00 02", "41 02 42 01 07 5c 00 01 01 07 24 00 02");
  // Before version 14 there were no flags.
  EXPECT_EQ(parse_clone(bytes("ff 0d 42 01 07 56 42 00 01")), Value(View::of<std::uint8_t>({7})));
}

TEST(ParseClone, RefusesAViewOfWhatIsNotThere) {
  for (const char* text :
       {"42 04 01 02 03 04 56 42 03 02 00", "42 04 01 02 03 04 56 42 05 00 00", "42 04 01 02 03 04 56 42 ff ff ff ff 0f 02 00",
        "42 04 01 02 03 04 56 42 01 ff ff ff ff 0f 00", "42 04 01 02 03 04 56 77 01 02 00", "42 04 01 02 03 04 56 77 00 03 00",
        "42 04 01 02 03 04 56 00 00 02 00", "42 04 01 02 03 04 56 7a 00 02 00", "42 04 01 02 03 04 56 42 00 02 01",
        "56 42 00 00 00", "42 04 01 02 03 04 56 42 00 02"}) {
    EXPECT_FALSE(parsed(text)) << text;
  }
}

TEST(ParseClone, TakesAnObjectOfNodesForAPlainCopyWithTwoIds) {
  expect_same("6f 22 01 'v' 5c 01 6f 22 07 'reading' 46 22 0c 'onconnection' 30 7b 02 7b 01",
              "6f 22 01 'v' 6f 22 07 'reading' 46 22 0c 'onconnection' 30 7b 02 7b 01");
  expect_same("41 03 5c 01 6f 7b 00 5e 01 5e 02 24 00 03", "41 03 6f 7b 00 5e 01 5e 01 24 00 03");
  expect_same("41 02 5c 01 6f 7b 00 6f 7b 00 24 00 02", "41 02 6f 7b 00 6f 7b 00 24 00 02");
  EXPECT_FALSE(parsed("5c 01 6f 22 01 'a' 5e 00 7b 01")) << "not even Node reads that";
  EXPECT_FALSE(parsed("5c 01 54"));
  EXPECT_FALSE(parsed("5c 02 6f 7b 00"));
}

TEST(ParseClone, CutsAViewToWholeElements) {
  expect_same("5c 00 03 03 01 02 03", "5c 00 03 02 01 02");
  expect_same("5c 00 08 07 01 02 03 04 05 06 07", "5c 00 08 00");
  EXPECT_FALSE(parsed("5c 00 0e 00"));
}

TEST(ParseClone, TakesABigIntOfAnyLength) {
  expect_same("5a 02 01", "5a 10 01 00 00 00 00 00 00 00");
  expect_same("5a 09 01 00 00 00", "5a 11 01 00 00 00 00 00 00 00");
  expect_same("5a 12 01 00 00 00 00 00 00 00 00", "5a 10 01 00 00 00 00 00 00 00");
  expect_same("5a 04 00 00", "5a 00");
  EXPECT_FALSE(parsed("5a 01")) << "there is no minus zero";
  expect_same("5a 03 00", "5a 00");
}

TEST(ParseClone, CutsADateAsNodeDoes) {
  expect_same("44 00 00 00 00 00 00 f8 3f", "44 00 00 00 00 00 00 f0 3f");
  expect_same("44 00 00 00 00 00 00 00 80", "44" + zeros(8));
  expect_same("44 00 00 00 00 00 00 f0 7f", "44 00 00 00 00 00 00 f8 7f");
  EXPECT_FALSE(parsed("44 00 00 dc c2 08 b2 3e 43")->as_date().milliseconds != 8.64e15);
  EXPECT_FALSE(parsed("44 01 00 dc c2 08 b2 3e 43")->as_date().valid());
}

TEST(ParseClone, RefusesAFlagThatNoRegExpHas) {
  EXPECT_FALSE(parsed("52 22 01 'a' 40"));
  EXPECT_FALSE(parsed("52 22 01 'a' 80 04"));
  EXPECT_FALSE(parsed("52 49 02 00"));
}

TEST(ParseClone, SetsAKeyThatAMapHoldsTwiceAsNodeWould) {
  expect_same("3b 22 01 'a' 49 02 22 01 'b' 49 04 22 01 'a' 49 06 3a 06", "3b 22 01 'a' 49 06 22 01 'b' 49 04 3a 04");
  expect_same("3b 49 00 30 4e 00 00 00 00 00 00 00 80 54 3a 04", "3b 49 00 54 3a 02");
  expect_same("27 4e 00 00 00 00 00 00 00 80 2c 01", "27 49 00 2c 01");
  expect_same("27 4e 00 00 00 00 00 00 f8 7f 4e 00 00 00 00 00 00 f8 ff 2c 02", "27 4e 00 00 00 00 00 00 f8 7f 2c 01");
  expect_same("27 6f 7b 00 6f 7b 00 5e 01 2c 03", "27 6f 7b 00 6f 7b 00 2c 02");
  expect_same("27 5a 00 5a 04 00 00 5f 5f 30 54 46 54 2c 08", "27 5a 00 5f 30 54 46 2c 05");
}

TEST(ParseClone, TakesThePartsOfAnErrorInAnyOrder) {
  expect_same("72 6d 22 01 'm' 63 6f 22 01 'c' 49 02 7b 01 73 22 01 'S' 2e",
              "72 6d 22 01 'm' 73 22 01 'S' 63 6f 22 01 'c' 49 02 7b 01 2e");
  expect_same("72 73 22 01 'S' 6d 22 01 'm' 54 2e", "72 54 6d 22 01 'm' 73 22 01 'S' 2e");
  expect_same("72 63 5e 00 2e", "72 63 5e 00 2e");
  EXPECT_FALSE(parsed("72 6d 49 02 2e"));
  EXPECT_FALSE(parsed("72 73 30 2e"));
  EXPECT_FALSE(parsed("72 51 2e"));
  EXPECT_FALSE(parsed("72 00 2e"));
}

// --- what is refused ---

TEST(ParseClone, RefusesWhatIsMalformed) {
  for (const char* text : {"",
                           "00",
                           "3f",
                           "3f 80",  // nothing
                           "2d",
                           "7b 00",
                           "24 00 00",
                           "40 00 00",
                           "3a 00",
                           "2c 00",
                           "2e",  // what stands only inside
                           "74 00",
                           "75 00",
                           "70 00",
                           "77",
                           "6d",
                           "56",
                           "7c",
                           "80",
                           "ff",  // shared memory, WebAssembly, what is no tag
                           "49",
                           "49 80",
                           "55",
                           "4e 00 00 00 00 00 00 00",
                           "44 00",
                           "6e 00",
                           "22",
                           "22 01",
                           "22 ff ff ff ff 0f 61",
                           "63 01 61",
                           "63 03 61 00 62",
                           "53 05 61",  // lengths that lie
                           "42 02 01",
                           "7e 02 04 01",
                           "7e 02 01 01 02",
                           "5c",
                           "5c 00",
                           "5c 00 01",
                           "5c 00 01 02 01",
                           "5a 10 01",
                           "6f",
                           "6f 22 01 61",
                           "6f 22 01 61 54",
                           "6f 22 01 61 54 7b",
                           "6f 22 01 61 54 7b 00",
                           "6f 22 01 61 54 7b 02",
                           "6f 22 01 61 7b 01",
                           "6f 54 54 7b 01",
                           "6f 30 54 7b 01",
                           "6f 5a 00 54 7b 01",
                           "6f 6f 7b 00 54 7b 01",
                           "6f 22 01 61 2d 7b 01",
                           "6f 22 01 61 54 22 01 61 46 7b 02",  // the same key twice, and in other words
                           "6f 22 01 31 54 49 02 46 7b 02",
                           "6f 22 01 61 54 63 02 61 00 46 7b 02",
                           "6f 55 01 54 49 02 46 7b 02",
                           "41 01 24 00 01",
                           "41 01 54 24 00 02",
                           "41 01 54 24 01 01",
                           "41 00 24 00 01",
                           "41 02 54 24 00 02",
                           "41 01 54 49 00 46 24 01 01",
                           "41 01 54 49 02 46 24 01 01",
                           "41 ff ff ff ff 0f 24 00 00",
                           "41 05 54",
                           "61 01 49 02 54 40 01 01",
                           "61 02 49 00 54 49 00 54 40 02 02",
                           "61 02 40 01 02",
                           "61 02 40 00 03",
                           "61 02 49 00 2d 40 01 02",
                           "61 01 22 01 '0' 54 49 00 54 40 02 01",
                           "3b 54 3a 01",
                           "3b 54 54 3a 01",
                           "3b 54 54 3a 03",
                           "3b 54 54",
                           "27 54 2c 02",
                           "27 54",
                           "27 2d 2c 01",
                           "73 49 02",
                           "73 73 22 00",
                           "73",
                           "7a 54",
                           "52 22 00",
                           "52 52 22 00 00 00",
                           "5e",
                           "5e 00",
                           "41 01 5e 01 24 00 01",
                           "41 02 5e ff ff ff ff 0f 54 24 00 02"}) {
    EXPECT_FALSE(parsed(text)) << text;
  }
}

std::string nested(int levels) {
  std::string all;
  for (int i = 0; i < levels; ++i) all += bytes("41 01");
  all += "T";
  for (int i = 0; i < levels; ++i) all += bytes("24 00 01");
  return v15 + all;
}

TEST(Clone, NestsAsDeepAsTheLimitAndNoDeeper) {
  const auto deepest = parse_clone(nested(max_depth));

  ASSERT_TRUE(deepest);
  EXPECT_EQ(hex(written(*deepest)), hex(nested(max_depth)));
  EXPECT_FALSE(parse_clone(nested(max_depth + 1)));
  std::string out = "before";
  EXPECT_EQ(write_clone(Value::array({*deepest}), out), Written::too_deep);
  EXPECT_EQ(write_clone(Value{{"a", *deepest}}, out), Written::too_deep);
  EXPECT_EQ(write_clone(Map{{{1, *deepest}}}, out), Written::too_deep);
  EXPECT_EQ(write_clone(Set{{*deepest}}, out), Written::too_deep);
  EXPECT_EQ(write_clone(error({}, {}, {}, *deepest), out), Written::too_deep);
  EXPECT_EQ(out, "before");
}

TEST(ParseClone, SurvivesNestingOfEveryKindToAMillionLevels) {
  for (const char* opening : {"41 01", "41 02 2d", "6f 22 01 61", "6f 49 00", "3b", "3b 54", "27", "72 63", "5c 01",
                              "61 01 49 00", "73", "52", "3f 00", "00", "5c 01 41 01", "41 01 27 3b 72 63"}) {
    const std::string one = bytes(opening);
    std::string all = v15;
    for (int i = 0; i < 1'000'000; ++i) all += one;
    EXPECT_FALSE(parse_clone(all)) << opening;
  }
}

// A list whose elements each hold the one before: flat to read, deep to take apart, copy and compare.
std::string chain(std::uint32_t links) {
  std::string all = v15 + "A";
  const auto varint = [&all](std::uint32_t value) {
    for (; value >= 0x80; value >>= 7) all.push_back(static_cast<char>(value | 0x80));
    all.push_back(static_cast<char>(value));
  };
  varint(links);
  all += bytes("41 00 24 00 00");
  for (std::uint32_t i = 1; i < links; ++i) {
    all += bytes("41 01 5e");
    varint(i);
    all += bytes("24 00 01");
  }
  all += bytes("24 00");
  varint(links);
  return all;
}

TEST(ParseClone, ReadsAChainThatIsDeeperThanTheStack) {
  constexpr std::uint32_t links = 500'000;
  std::optional<Value> list = parse_clone(chain(links));
  ASSERT_TRUE(list);
  Value last = (*list)[static_cast<std::size_t>(links - 1)];
  list.reset();

  Value copy = last.clone();

  EXPECT_TRUE(copy == last);
  EXPECT_FALSE(copy.same(last));
  std::string out;
  EXPECT_EQ(write_clone(last, out), Written::too_deep);
}

TEST(ParseClone, BoundsTheHolesOfAMessage) {
  const auto sparse = [](const std::string& lengths) { return "61 " + lengths + " 40 00 " + lengths; };
  EXPECT_EQ(parsed(sparse("80 80 40"))->size(), std::size_t{1} << 20);
  EXPECT_FALSE(parsed(sparse("ff ff ff ff 0f")));
  EXPECT_FALSE(parsed(sparse("80 80 80 01")));
  // Not one by one either.
  const std::string two = "41 02 " + sparse("80 80 20") + sparse("80 80 20") + "24 00 02";
  EXPECT_TRUE(parsed(two));
  std::string bomb = "41 7f";
  for (int i = 0; i < 127; ++i) bomb += sparse("80 80 20");
  EXPECT_FALSE(parsed(bomb + "24 00 7f"));
  std::string nest;
  for (int i = 0; i < 900; ++i) nest += "61 80 80 20 49 00";
  EXPECT_FALSE(parsed(nest));
  // As many as the message is long, if that is more.
  const std::string filler(3 << 20, 'x');
  Value big{{"filler", filler}};
  const std::string frame = written(big);
  std::string with_holes = frame.substr(0, frame.size() - 2) + bytes("22 01 61" + sparse("80 80 c0 01") + "7b 02");
  EXPECT_TRUE(parse_clone(with_holes));
}

TEST(ParseClone, DoesNotReserveForLengthsThatLie) {
  // Each array claims all that is left: all of them together would take 40 GB.
  std::string all = v15;
  for (int i = 0; i < 999; ++i) all += bytes("41 80 80 40");
  all += std::string(1 << 20, 'T');

  EXPECT_FALSE(parse_clone(all));
}

TEST(ParseClone, DoesNotCopyABufferForEachViewThatIsAskedFor) {
  std::string all = v15 + bytes("41 80 80 01 42 80 80 40") + std::string(1 << 20, 'x');
  for (int i = 1; i < 16384; ++i) all += bytes("5e 01 56 42 00 80 80 40 00");
  all += bytes("24 00 80 80 01");

  EXPECT_FALSE(parse_clone(all));
}

TEST(ParseClone, TakesAnObjectOrMapOfManyKeysInItsStride) {
  Object object;
  Map map;
  Set set;
  for (int i = 0; i < 200'000; ++i) {
    object.set("key" + std::to_string(i), i);
    map.entries.emplace_back("key" + std::to_string(i), i);
    set.values.emplace_back(i + 0.5);
  }
  const std::string frame = written(Value::array({object, map, set}));

  const auto value = parse_clone(frame);

  ASSERT_TRUE(value);
  EXPECT_TRUE(written(*value) == frame);
}

// --- identity and circles ---

TEST(ParseClone, RestoresIdentity) {
  const auto value = parsed("6f 22 01 'x' 41 01 6f 7b 00 24 00 01 22 01 'y' 5e 02 22 01 'z' 5e 01 7b 03");

  ASSERT_TRUE(value);
  EXPECT_TRUE((*value)["x"].same((*value)["z"]));
  EXPECT_TRUE((*value)["x"][0].same((*value)["y"]));
}

TEST(ParseClone, RestoresCirclesThatGoWithTheirRoot) {
  std::optional<Value> root = parsed("6f 22 04 'self' 5e 00 22 05 'child' 6f 22 02 'up' 5e 00 7b 01 7b 02");
  ASSERT_TRUE(root);
  EXPECT_TRUE((*root)["self"].same(*root));
  EXPECT_TRUE((*root)["child"]["up"]["child"]["up"].same(*root));
  const Value child = (*root)["child"];
  const Value up = child["up"];
  ASSERT_TRUE(up.same(*root)) << "a copy of a weak reference holds on";

  root.reset();
  EXPECT_TRUE(child["up"].is_object());
}

TEST(ParseClone, LeavesNothingOfACircleBehind) {
  for (const char* text : {"6f 22 05 'child' 6f 22 02 'up' 5e 00 7b 01 7b 01", "41 01 41 01 5e 00 24 00 01 24 00 01",
                           "3b 54 6f 22 02 'up' 5e 00 7b 01 3a 02", "3b 5e 00 6f 22 02 'up' 5e 00 7b 01 3a 02",
                           "27 6f 22 02 'up' 5e 00 7b 01 5e 00 2c 02", "72 63 6f 22 02 'up' 5e 00 7b 01 2e",
                           "61 01 49 00 6f 22 02 'up' 5e 00 7b 01 40 01 01"}) {
    std::optional<Value> root = parsed(text);
    ASSERT_TRUE(root) << text;
    const Value watch[] = {root->weak()};  // an array, for that is not copied
    ASSERT_EQ(watch[0].identity(), root->identity());
    const Value inner = root->is_array()   ? (*root)[0]
                        : root->is_map()   ? root->as_map().entries[0].second
                        : root->is_set()   ? root->as_set().values[0]
                        : root->is_error() ? *root->as_error().cause
                                           : (*root)["child"];
    EXPECT_EQ(hex(written(*root)).size(), hex(written(root->clone())).size());

    root.reset();

    EXPECT_TRUE(watch[0].is_undefined()) << text;
    EXPECT_TRUE(inner["up"].is_undefined());
    EXPECT_EQ(inner[0].kind(), Value::Kind::undefined);
  }
}

TEST(WriteClone, WritesWhatIsLeftOfACircleAsUndefined) {
  Value inner;
  {
    const auto root = parsed("6f 22 05 'child' 6f 22 02 'up' 5e 00 7b 01 7b 01");
    inner = (*root)["child"];
  }

  EXPECT_EQ(hex(written(inner)), hex(v15 + bytes("6f 22 02 'up' 5f 7b 01")));
}

// --- the writer's choices ---

TEST(WriteClone, PutsTwoByteTextAtEvenPlaces) {
  for (int length = 0; length < 300; ++length) {
    for (const char* before : {"", "a", "ab"}) {
      std::string text = "€";
      for (int i = 1; i < length; ++i) text += "€";
      const std::string frame = written(Value::array({before, text}));
      const std::size_t at = frame.find("\xac\x20");

      ASSERT_NE(at, std::string::npos);
      EXPECT_EQ(at % 2, 0U);
      EXPECT_EQ((*parse_clone(frame))[1], Value(text));
    }
  }
}

TEST(WriteClone, AppendsAndCountsPlacesFromItsOwnBeginning) {
  std::string out = "x";

  EXPECT_EQ(write_clone("€", out), Written::whole);

  EXPECT_EQ(hex(out), hex("x" + v15 + bytes("63 02 ac 20")));
}

TEST(WriteClone, WritesOnlyWhatNodeReadsWhateverAStringHolds) {
  EXPECT_EQ(hex(written("a\xff")), hex(v15 + bytes("63 04 61 00 fd ff")));
  EXPECT_EQ(hex(written("\xed\xa0\xbd\xed\xb8\x80")), hex(v15 + bytes("63 04 3d d8 00 de")));
  // Node would not survive the same key twice.
  EXPECT_EQ(hex(written(Value{{"\xff", 1}, {"\xfe", 2}})), hex(v15 + bytes("6f 00 63 02 fd ff 49 04 7b 01")));
  EXPECT_EQ(hex(written(Value{{"😀", 1}, {"\xed\xa0\xbd\xed\xb8\x80", 2}})),
            hex(v15 + bytes("6f 00 63 04 3d d8 00 de 49 04 7b 01")));
}

TEST(WriteClone, WritesWhatAProgramPutsTogetherOddly) {
  EXPECT_EQ(hex(written(RegExp{"a", "ig?g"})), hex(v15 + bytes("52 22 01 'a' 03")));
  EXPECT_EQ(hex(written(ArrayBuffer{"ab", 1})), hex(v15 + bytes("7e 02 02 'ab'")));
  EXPECT_EQ(hex(written(View{View::Type::int16, "abc"})), hex(v15 + bytes("5c 00 03 02 'ab'")));
  EXPECT_EQ(hex(written(Value{{"a", Hole()}})), hex(v15 + bytes("6f 22 01 'a' 5f 7b 01")));
}

TEST(WriteClone, WritesABufferThatMayGrowToMoreThanAMessageHolds) {
  std::string written;

  EXPECT_EQ(write_clone(ArrayBuffer{"ab", std::size_t{2'468'760'730}}, written), Written::whole);

  const auto read = parse_clone(written);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->as_array_buffer().max_size, std::size_t{2'468'760'730});
}

TEST(WriteClone, TakesACircleThatKeepsItselfAlive) {
  Value strong = Value::array();
  strong.as_array().push_back(strong);

  EXPECT_EQ(hex(written(strong)), hex(v15 + bytes("41 01 5e 00 24 00 01")));

  strong.as_array().clear();
}

TEST(WriteClone, RefusesWhatNoNodeCouldRead) {
  std::string out;

  EXPECT_EQ(write_clone(ArrayBuffer{"", std::size_t{1} << 32}, out), Written::too_long);
  EXPECT_EQ(write_clone(BigInt(false, std::vector<std::uint64_t>((1 << 24) + 1, 1)), out), Written::too_long);
  EXPECT_EQ(out, "");
}

TEST(ParseClone, SurvivesExamplesWithBytesChanged) {
  std::mt19937 random(1);
  const auto all = examples();
  for (int i = 0; i < 200'000; ++i) {
    std::string frame = v15 + bytes(all[random() % all.size()].bytes);
    for (unsigned n = 1 + random() % 3; n > 0; --n) frame[2 + random() % (frame.size() - 2)] = static_cast<char>(random());
    const auto value = parse_clone(frame);
    if (!value) continue;
    const std::string canonical = written(*value);
    const auto again = parse_clone(canonical);
    ASSERT_TRUE(again) << hex(frame);
    EXPECT_EQ(hex(written(*again)), hex(canonical));
    EXPECT_EQ(hex(written(value->clone())), hex(canonical));
  }
}

// Keys that are chosen to be alike cost no more than others: no more than twenty times, where it was a thousand.
TEST(Clone, ReadsAMapWhoseKeysAreAlikeAsFastAsAnother) {
  const auto read_map_with = [](bool alike) {
    Map map;
    for (std::uint64_t i = 0; i < 20'000; ++i) map.entries.emplace_back(BigInt(false, {alike ? 7 : i + 1, i + 1}), 0);
    const std::string frame = written(map);
    const std::clock_t began = std::clock();
    const auto read = parse_clone(frame);
    EXPECT_TRUE(read && read->as_map().entries.size() == 20'000);
    return static_cast<double>(std::clock() - began);
  };
  const double others = read_map_with(false);
  EXPECT_LT(read_map_with(true), 20 * others + CLOCKS_PER_SEC / 100);
}

}  // namespace
}  // namespace muster::core
