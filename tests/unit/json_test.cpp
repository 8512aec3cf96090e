// SPDX-License-Identifier: MIT
#include "core/json.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <chrono>
#include <clocale>
#include <cmath>
#include <limits>

namespace muster::core {
namespace {

std::string written(const Value& value) {
  std::string out;
  EXPECT_EQ(write_json(value, out), Written::whole);
  return out;
}

std::string nested(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']');
}

TEST(ParseJson, ReadsEachKindOfValue) {
  EXPECT_EQ(parse_json("null"), Value(nullptr));
  EXPECT_EQ(parse_json("true"), Value(true));
  EXPECT_EQ(parse_json("false"), Value(false));
  EXPECT_EQ(parse_json("1.5"), Value(1.5));
  EXPECT_EQ(parse_json("\"s\""), Value("s"));
  EXPECT_EQ(parse_json("[1,[]]"), Value::array({1, Value::array()}));
  EXPECT_EQ(parse_json("{\"a\":{}}"), (Value{{"a", Value::object()}}));
}

TEST(ParseJson, SkipsJsonsFourSpacesAndNoOther) {
  EXPECT_EQ(parse_json(" \t\r\n[ 1 , 2 ] \t\r\n"), Value::array({1, 2}));
  EXPECT_FALSE(parse_json("\v1"));
  EXPECT_FALSE(parse_json("\f1"));
  EXPECT_FALSE(
      parse_json("\xc2\xa0"
                 "1"));
  EXPECT_FALSE(parse_json(std::string_view("1\0", 2)));
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const char* text : {"",
                           " ",
                           "undefined",
                           "nul",
                           "nullx",
                           "NaN",
                           "Infinity",
                           "'a'",
                           "[1,]",
                           "[,1]",
                           "[1",
                           "]",
                           "{\"a\"}",
                           "{a:1}",
                           "{\"a\":",
                           "{,}",
                           "{1:1}",
                           "\"a",
                           "\"\\x41\"",
                           "\"\\u12\"",
                           "1 2",
                           "[1 2]",
                           "// c\n1",
                           "+1",
                           "01",
                           "-",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "0x10",
                           "\"\t\"",
                           "--1",
                           "-01",
                           "1.e5",
                           "{\"a\":1,}",
                           "\"\\u00g0\"",
                           "\"\\ud83d\\u12\"",
                           "tru",
                           "1n"}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
}

TEST(ParseJson, RefusesAByteOrderMarkAsNodeDoes) { EXPECT_FALSE(parse_json("\xef\xbb\xbf{}")); }

TEST(ParseJson, RefusesEveryBareControlCharacterInAString) {
  for (char c = 0; c < 0x20; ++c) EXPECT_FALSE(parse_json(std::string("\"") + c + "\"")) << int(c);
  EXPECT_EQ(parse_json("\"\x7f\""), Value("\x7f"));
}

TEST(ParseJson, ReadsEveryEscape) {
  EXPECT_EQ(parse_json(R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\u0000")"),
            Value(std::string("\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\0", 15)));
}

TEST(ParseJson, JoinsASurrogatePair) { EXPECT_EQ(parse_json(R"("\ud83d\ude00")"), Value("\xf0\x9f\x98\x80")); }

TEST(Json, KeepsALoneSurrogateAndWritesItAsAnEscape) {
  for (const char* text :
       {R"("\ud83d")", R"("\ude00")", R"("\ude00\ud83d")", R"("a\ud800z")", R"("\ud83dA")", R"("\ud83d\n")"}) {
    const auto value = parse_json(text);

    ASSERT_TRUE(value) << text;
    EXPECT_EQ(written(*value), text);
  }
}

TEST(ParseJson, LetsALoneHighSurrogateStandBeforeAPair) {
  EXPECT_EQ(written(*parse_json(R"("\ud83d\ud83d\ude00")")), "\"\\ud83d\xf0\x9f\x98\x80\"");
}

TEST(ParseJson, ReplacesBytesThatAreNotUtf8AsNodeDoes) {
  const std::string fffd = "\xef\xbf\xbd";

  EXPECT_EQ(parse_json("\"\xff\""), Value(fffd));
  EXPECT_EQ(parse_json("\"\xe0\x80z\""), Value(fffd + fffd + "z"));
  EXPECT_EQ(parse_json("\"\xf0\x9f\x98\""), Value(fffd));
  EXPECT_EQ(parse_json("\"\xed\xa0\x80\""), Value(fffd + fffd + fffd));
  EXPECT_FALSE(parse_json("\xff"));
}

TEST(ParseJson, LetsTheLastOfDuplicateKeysWinInTheFirstsPlace) {
  EXPECT_EQ(written(*parse_json(R"({"a":1,"b":2,"a":3})")), R"({"a":3,"b":2})");
}

TEST(ParseJson, TakesProtoForAKeyLikeAnother) {
  const auto value = parse_json(R"({"__proto__":{"x":1},"__proto__":2})");

  EXPECT_EQ(written(*value), R"({"__proto__":2})");
}

TEST(ParseJson, ReadsNumbersToTheEdgesOfADouble) {
  EXPECT_EQ(parse_json("1e400")->as_number(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_json("-1e400")->as_number(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_json("1" + std::string(400, '0') + "e-5")->as_number(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_json("1e99999999999999999999")->as_number(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_json("1e-400")->as_number(), 0.0);
  EXPECT_EQ(parse_json("1e-99999999999999999999")->as_number(), 0.0);
  EXPECT_EQ(parse_json("0." + std::string(400, '0') + "1e+5")->as_number(), 0.0);
  EXPECT_EQ(parse_json("0e99999999999999999999")->as_number(), 0.0);
  EXPECT_TRUE(std::signbit(parse_json("-1e-400")->as_number()));
  EXPECT_EQ(parse_json("5e-324")->as_number(), 5e-324);
  EXPECT_EQ(parse_json("1.7976931348623157e308")->as_number(), DBL_MAX);
}

TEST(ParseJson, ReadsMinusZero) {
  EXPECT_TRUE(std::signbit(parse_json("-0")->as_number()));
  EXPECT_TRUE(std::signbit(parse_json("-0.0e5")->as_number()));
  EXPECT_FALSE(std::signbit(parse_json("0")->as_number()));
}

TEST(ParseJson, RoundsIntegersOf64BitsAsADoubleDoes) {
  EXPECT_EQ(written(*parse_json("9007199254740993")), "9007199254740992");
  EXPECT_EQ(written(*parse_json("9223372036854775807")), "9223372036854776000");
  EXPECT_EQ(written(*parse_json("-9223372036854775808")), "-9223372036854776000");
  EXPECT_EQ(written(*parse_json("18446744073709551616")), "18446744073709552000");
  EXPECT_EQ(written(*parse_json("999999999999999")), "999999999999999");
  EXPECT_EQ(written(*parse_json("-99999999999999")), "-99999999999999");
}

TEST(ParseJson, ReadsNumbersTheSameInALocaleWithADecimalComma) {
  const char* before = std::setlocale(LC_NUMERIC, nullptr);
  const std::string saved = before ? before : "C";
  std::setlocale(LC_NUMERIC, "de_DE.UTF-8");  // where it is installed

  EXPECT_EQ(written(*parse_json("1.5")), "1.5");
  EXPECT_EQ(parse_json("1.5e400")->as_number(), std::numeric_limits<double>::infinity());

  std::setlocale(LC_NUMERIC, saved.c_str());
}

TEST(WriteJson, FormatsNumbersAsEcmascriptDoes) {
  const std::pair<double, const char*> cases[] = {{0, "0"},
                                                  {-0.0, "0"},
                                                  {1, "1"},
                                                  {-1, "-1"},
                                                  {0.1 + 0.2, "0.30000000000000004"},
                                                  {1e21, "1e+21"},
                                                  {1e20, "100000000000000000000"},
                                                  {999999999999999900000.0, "999999999999999900000"},
                                                  {1e-7, "1e-7"},
                                                  {1e-6, "0.000001"},
                                                  {1.5e-7, "1.5e-7"},
                                                  {0.00000123, "0.00000123"},
                                                  {5e-324, "5e-324"},
                                                  {1.7976931348623157e308, "1.7976931348623157e+308"},
                                                  {123456789012345680000.0, "123456789012345680000"},
                                                  {2.2250738585072014e-308, "2.2250738585072014e-308"},
                                                  {1e15, "1000000000000000"},
                                                  {1e16, "10000000000000000"},
                                                  {123456.789, "123456.789"},
                                                  {-1.5, "-1.5"},
                                                  {9007199254740991.0, "9007199254740991"},
                                                  {9007199254740992.0, "9007199254740992"},
                                                  {0.5, "0.5"},
                                                  {100.25, "100.25"},
                                                  {4.35, "4.35"},
                                                  {1e100, "1e+100"},
                                                  {1.25e-100, "1.25e-100"},
                                                  {4294967296.0, "4294967296"},
                                                  {1.0 / 3, "0.3333333333333333"},
                                                  {-1e-7, "-1e-7"},
                                                  {123e-20, "1.23e-18"},
                                                  {1e23, "1e+23"}};

  for (const auto& [number, text] : cases) EXPECT_EQ(written(number), text);
}

TEST(WriteJson, WritesWhatIsNotANumberAsNull) {
  EXPECT_EQ(written(Value::array({std::nan(""), INFINITY, -INFINITY})), "[null,null,null]");
}

TEST(WriteJson, WritesIntegerLikeKeysFirstAndAscending) {
  EXPECT_EQ(
      written(Value{{"b", 1}, {"10", 2}, {"2", 3}, {"-1", 4}, {"01", 5}, {"4294967294", 6}, {"4294967295", 7}, {"1.5", 8}}),
      R"({"2":3,"10":2,"4294967294":6,"b":1,"-1":4,"01":5,"4294967295":7,"1.5":8})");
}

TEST(WriteJson, LeavesUndefinedOutOfObjectsAndMakesItNullElsewhere) {
  EXPECT_EQ(written(Value{{"a", Undefined()}, {"b", 1}, {"c", Undefined()}}), R"({"b":1})");
  EXPECT_EQ(written(Value::array({Undefined(), 1})), "[null,1]");
  EXPECT_EQ(written(Undefined()), "null");
}

TEST(WriteJson, EscapesControlCharactersQuotesAndBackslashesOnly) {
  std::string all;
  for (char c = 0; c < 0x20; ++c) all.push_back(c);

  EXPECT_EQ(written(all),
            R"("\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f)"
            R"(\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f")");
  EXPECT_EQ(written("\"\\/\x7f"), "\"\\\"\\\\/\x7f\"");
  EXPECT_EQ(written("\xe2\x80\xa8\xe2\x80\xa9"), "\"\xe2\x80\xa8\xe2\x80\xa9\"");
}

TEST(WriteJson, WritesOnlyUtf8WhateverTheStringHolds) {
  EXPECT_EQ(written("a\xff\xc3"), "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(written(Value{{"\xff", 1}}), "{\"\xef\xbf\xbd\":1}");
}

TEST(WriteJson, AppendsAndLeavesTheOutputAsItWasWhenItFails) {
  std::string out = "before ";
  ASSERT_EQ(write_json(1, out), Written::whole);
  EXPECT_EQ(out, "before 1");

  Value deep = 1;
  for (int i = 0; i <= max_depth; ++i) deep = Value::array({deep});

  EXPECT_EQ(write_json(deep, out), Written::too_deep);
  EXPECT_EQ(out, "before 1");
}

TEST(Json, NestsAsDeepAsTheLimitAndNoDeeper) {
  const auto deepest = parse_json(nested(max_depth));

  ASSERT_TRUE(deepest);
  EXPECT_EQ(written(*deepest), nested(max_depth));
  EXPECT_FALSE(parse_json(nested(max_depth + 1)));
  std::string out;
  EXPECT_EQ(write_json(Value::array({*deepest}), out), Written::too_deep);
  EXPECT_EQ(write_json(Value{{"a", *deepest}}, out), Written::too_deep);
}

TEST(WriteJson, RefusesACircularValue) {
  Value circle = Value::object();
  circle.set("self", circle);
  std::string out;

  EXPECT_EQ(write_json(circle, out), Written::too_deep);

  circle.as_object().erase("self");
}

TEST(WriteJson, MakesOfEachKindWhatJsonStringifyDoes) {
  EXPECT_EQ(written(Date(1709210096789)), R"("2024-02-29T12:34:56.789Z")");
  EXPECT_EQ(written(Date(std::nan(""))), "null");
  EXPECT_EQ(written(Map{{{1, 2}}}), "{}");
  EXPECT_EQ(written(Set{{1}}), "{}");
  EXPECT_EQ(written(RegExp{"a"}), "{}");
  EXPECT_EQ(written(ErrorObject{{}, "m", "s", Value(1)}), "{}");
  EXPECT_EQ(written(ArrayBuffer{"abc"}), "{}");
  EXPECT_EQ(written(View::buffer("ab")), R"({"type":"Buffer","data":[97,98]})");
  EXPECT_EQ(written(View::buffer("")), R"({"type":"Buffer","data":[]})");
  EXPECT_EQ(written(View::of<std::uint8_t>({1, 2})), R"({"0":1,"1":2})");
  EXPECT_EQ(written(View::of<double>({1.5, std::nan(""), -0.0})), R"({"0":1.5,"1":null,"2":0})");
  EXPECT_EQ(written(View{View::Type::data_view, "ab"}), "{}");
  EXPECT_EQ(written(View{View::Type::bigint64, ""}), "{}");
  EXPECT_EQ(written(Array{Boxed{true}, Boxed{1.5}, Boxed{"a"}}), R"([true,1.5,"a"])");
  EXPECT_EQ(written(Array{Hole(), 1}), "[null,1]");
  EXPECT_EQ(written(Value{{"a", Hole()}}), "{}");
}

TEST(WriteJson, RefusesABigIntWhereverItIs) {
  std::string out;
  for (const Value& value : {Value(BigInt(1)), Value(Array{BigInt(1)}), Value{{"a", BigInt()}}, Value(Boxed{BigInt(1)}),
                             Value(View::of<std::int64_t>({1})), Value(View::of<std::uint64_t>({1}))}) {
    EXPECT_EQ(write_json(value, out), Written::has_bigint);
    EXPECT_EQ(out, "");
  }
}

TEST(WriteJson, RefusesAWeakCircle) {
  Value circle = Value::object();
  circle.set("self", circle.weak());
  std::string out;

  EXPECT_EQ(write_json(circle, out), Written::too_deep);
}

TEST(ParseJson, SurvivesMillionsOfOpenBrackets) {
  EXPECT_FALSE(parse_json(std::string(10'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
  EXPECT_FALSE(parse_json(objects));
}

TEST(ParseJson, TakesAnObjectOfManyKeysInItsStride) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += "\"key" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  text.back() = '}';

  const auto value = parse_json(text);

  ASSERT_TRUE(value);
  EXPECT_EQ(written(*value), text);
}

TEST(IsPlainTree, CountsArraysAndObjects) {
  EXPECT_TRUE(is_plain_tree(1, 0));
  EXPECT_FALSE(is_plain_tree(Value::array(), 0));
  EXPECT_TRUE(is_plain_tree(Value::array({Value::object()}), 2));
  EXPECT_FALSE(is_plain_tree(Value{{"a", 1}, {"b", Value::array()}}, 1));
}

TEST(IsPlainTree, HoldsNothingTwiceAndNothingThatJsonDoesNotHave) {
  const Value shared = Value::array();
  EXPECT_FALSE(is_plain_tree(Array{shared, shared}, 9));
  Value circle = Value::object();
  circle.set("self", circle.weak());
  EXPECT_FALSE(is_plain_tree(circle, 9));
  for (const Value& value : {Value(BigInt(1)), Value(Date()), Value(Map()), Value(View())}) {
    EXPECT_FALSE(is_plain_tree(value, 9));
    EXPECT_FALSE(is_plain_tree(Array{value}, 9));
  }
}

}  // namespace
}  // namespace muster::core
