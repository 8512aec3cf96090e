// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <muster/error.h>
#include <muster/value.h>

#include <cmath>

namespace muster {
namespace {

TEST(Value, IsUndefinedByDefault) { EXPECT_TRUE(Value().is_undefined()); }

TEST(Value, ReadsAMemberThatIsNotThereAsUndefined) {
  const Value value{{"a", 1}};

  EXPECT_TRUE(value["b"]["c"][3].is_undefined());
}

TEST(Value, SharesAnObjectBetweenCopies) {
  Value first{{"n", 1}};
  Value second = first;

  second.set("n", 2);

  EXPECT_EQ(first["n"], Value(2));
}

TEST(Value, ClonesDeeply) {
  Value first{{"list", Value::array({1, 2})}};
  Value second = first.clone();

  second.as_object().find("list")->as_array().push_back(3);

  EXPECT_EQ(first["list"].size(), 2U);
  EXPECT_EQ(second["list"].size(), 3U);
}

TEST(Value, ThrowsForAValueOfAnotherKind) { EXPECT_THROW(Value(1).as_string(), Exception); }

TEST(Value, ComparesObjectsWithoutRegardToOrder) {
  EXPECT_EQ((Value{{"a", 1}, {"b", 2}}), (Value{{"b", 2}, {"a", 1}}));
  EXPECT_FALSE((Value{{"a", 1}}) == (Value{{"a", 1}, {"b", Undefined()}}));
}

static_assert(sizeof(Value) <= 40);

TEST(Value, TellsItsKind) {
  using Kind = Value::Kind;
  const std::pair<Value, Kind> cases[] = {{Undefined(), Kind::undefined},
                                          {Hole(), Kind::undefined},
                                          {nullptr, Kind::null},
                                          {false, Kind::boolean},
                                          {1, Kind::number},
                                          {"", Kind::string},
                                          {BigInt(1), Kind::bigint},
                                          {Array(), Kind::array},
                                          {Object(), Kind::object},
                                          {Date(), Kind::date},
                                          {RegExp{"a"}, Kind::regexp},
                                          {Map(), Kind::map},
                                          {Set(), Kind::set},
                                          {Boxed{true}, Kind::boxed},
                                          {ArrayBuffer{""}, Kind::array_buffer},
                                          {View(), Kind::view},
                                          {ErrorObject(), Kind::error}};

  for (const auto& [value, kind] : cases) {
    EXPECT_EQ(value.kind(), kind);
    EXPECT_EQ(value.clone().kind(), kind);
    EXPECT_TRUE(value == value.clone());
    EXPECT_EQ(value.identity() != nullptr, kind >= Kind::array);
    EXPECT_EQ(value.truthy(), kind >= Kind::bigint || value.is_number());
  }
  EXPECT_FALSE(Value(BigInt()).truthy());
  EXPECT_EQ(Value(std::move(const_cast<Value&>(cases[7].first))).kind(), Kind::array);
}

TEST(Value, NamesTheKindThatItIsNot) {
  try {
    Value(Date()).as_map();
    FAIL();
  } catch (const Exception& error) {
    EXPECT_NE(std::string(error.what()).find("must be a Map. It is a Date"), std::string::npos);
  }
}

TEST(Value, TellsAHoleFromUndefinedOnlyWhenAsked) {
  EXPECT_TRUE(Value(Hole()).is_hole());
  EXPECT_TRUE(Value(Hole()).is_undefined());
  EXPECT_FALSE(Value().is_hole());
  EXPECT_EQ(Value(Hole()), Value());
}

TEST(Value, IsTheSameAsWhatItSharesOrAnEqualPrimitive) {
  const Value object = Value::object();

  EXPECT_TRUE(object.same(Value(object)));
  EXPECT_FALSE(object.same(Value::object()));
  EXPECT_TRUE(Value(std::nan("")).same(std::nan("")));
  EXPECT_TRUE(Value(0).same(-0.0));
  EXPECT_TRUE(Value(BigInt(1)).same(BigInt(1)));
  EXPECT_FALSE(Value(1).same(BigInt(1)));
}

TEST(Value, HoldsWeaklyWhatItDoesNotKeepAlive) {
  Value object{{"n", 1}};
  Value weak = object.weak();
  ASSERT_TRUE(weak.is_weak());
  EXPECT_EQ(weak["n"], Value(1));
  Value moved = std::move(weak);
  EXPECT_TRUE(moved.is_weak());
  Value copied = moved;
  EXPECT_FALSE(copied.is_weak());

  object = {};
  EXPECT_EQ(moved["n"], Value(1)) << "a copy of a weak value keeps it alive";
  copied = {};

  EXPECT_TRUE(moved.is_undefined());
  EXPECT_TRUE(Value(moved).is_undefined());
  EXPECT_TRUE(moved["n"].is_undefined());
  EXPECT_FALSE(moved.truthy());
  EXPECT_THROW(moved.as_object(), Exception);
  EXPECT_FALSE(Value(1).weak().is_weak());
}

Value circle(int n) {
  Value outer{{"n", n}};
  Value inner = Value::array({n});
  inner.as_array().push_back(outer.weak());
  outer.set("inner", inner);
  return outer;
}

TEST(Value, ComparesCircles) {
  EXPECT_TRUE(circle(1) == circle(1));
  EXPECT_FALSE(circle(1) == circle(2));
}

TEST(Value, ClonesCirclesAndWhatIsShared) {
  Value original = circle(1);
  original.set("again", original["inner"]);

  const Value copy = original.clone();
  original.set("n", 2);
  original.as_object().find("inner")->as_array().clear();

  EXPECT_EQ(copy["n"], Value(1));
  EXPECT_TRUE(copy["inner"][1].same(copy));
  EXPECT_TRUE(copy["inner"].as_array()[1].is_weak());
  EXPECT_TRUE(copy["again"].same(copy["inner"]));
}

TEST(Value, ClonesWhatIsBelowAndNotWhatIsAbove) {
  const Value outer = circle(1);

  EXPECT_TRUE(outer["inner"].clone()[1].is_undefined());
}

TEST(Value, ClonesWhatHoldsItselfInAnyWay) {
  Value map = Map();
  map.as_map().set(map.weak(), 1);
  Value error = ErrorObject();
  error.as_error().cause.emplace(error.weak());

  EXPECT_TRUE(map.clone().as_map().entries[0].first.is_weak());
  EXPECT_TRUE(error.clone().as_error().cause->is_weak());
}

TEST(Value, IsDestroyedClonedAndComparedHoweverDeepItNests) {
  const auto deep = [](int levels) {
    Value value = 1;
    for (int i = 0; i < levels; ++i) {
      Array array;
      array.push_back(std::move(value));
      value = Value(std::move(array));
    }
    return value;
  };
  const Value value = deep(300'000);

  EXPECT_TRUE(value == value.clone());
  EXPECT_TRUE(value == deep(300'000));
  EXPECT_FALSE(value == deep(299'999));
}

TEST(Value, ComparesTheContentsOfEachKind) {
  EXPECT_EQ(Value(Map{{{1, 2}}}), Value(Map{{{1, 2}}}));
  EXPECT_FALSE(Value(Map{{{1, 2}}}) == Value(Map{{{1, 3}}}));
  EXPECT_FALSE(Value(Map{{{1, 2}, {3, 4}}}) == Value(Map{{{3, 4}, {1, 2}}}));
  EXPECT_FALSE(Value(Set{{1}}) == Value(Set{{1, 2}}));
  EXPECT_FALSE(Value(Set{{1}}) == Value(Array{1}));
  EXPECT_FALSE(Value(Boxed{1.0}) == Value(1));
  EXPECT_FALSE(Value(RegExp{"a"}) == Value(RegExp{"a", "g"}));
  EXPECT_FALSE(Value(View::buffer("a")) == Value(View{View::Type::uint8, "a"}));
  EXPECT_FALSE(Value(ErrorObject{{}, "a"}) == Value(ErrorObject{{}, "b"}));
  EXPECT_FALSE(Value(ErrorObject{{}, {}, {}, Value()}) == Value(ErrorObject()));
}

TEST(Map, SetsAndFindsByIdentityOrValue) {
  const Value key = Value::object();
  Map map;
  map.set("a", 1);
  map.set(key, 2);
  map.set("a", 3);
  map.set(-0.0, 4);

  EXPECT_EQ(map.entries.size(), 3U);
  EXPECT_EQ(*map.find("a"), Value(3));
  EXPECT_EQ(*map.find(key), Value(2));
  EXPECT_EQ(map.find(Value::object()), nullptr);
  EXPECT_FALSE(std::signbit(map.entries[2].first.as_number()));
}

TEST(Set, AddsEachValueOnce) {
  Set set;
  for (const Value& value : {Value(1), Value("1"), Value(1), Value(std::nan("")), Value(std::nan(""))}) set.add(value);

  EXPECT_EQ(set.values.size(), 3U);
  EXPECT_TRUE(set.has(std::nan("")));
  EXPECT_FALSE(set.has(2));
}

TEST(ArrayIndex, IsANumberBelowTheLargestWithoutLeadingZeros) {
  EXPECT_EQ(array_index("0"), 0U);
  EXPECT_EQ(array_index("4294967294"), 4294967294U);
  for (const char* key : {"", "01", "00", "-1", "+1", "1.5", "1e3", "4294967295", "4294967296", "99999999999", " 1", "a"}) {
    EXPECT_EQ(array_index(key), std::nullopt) << key;
  }
}

TEST(Object, FindsEachOfManyMembers) {
  Object object;
  for (int i = 0; i < 1000; ++i) object.set("key" + std::to_string(i), i);

  for (int i = 0; i < 1000; ++i) ASSERT_EQ(*object.find("key" + std::to_string(i)), Value(i));
  EXPECT_EQ(object.find("key1000"), nullptr);
}

TEST(Object, ForgetsWhatIsErased) {
  Object object;
  for (int i = 0; i < 100; ++i) object.set(std::to_string(i), i);

  EXPECT_TRUE(object.erase("50"));

  EXPECT_FALSE(object.erase("50"));
  EXPECT_EQ(object.find("50"), nullptr);
  EXPECT_EQ(*object.find("99"), Value(99));
}

TEST(Object, FindsWhatIsAddedAfterMuchWasErased) {
  Object object;
  for (int i = 0; i < 10; ++i) object.set("old" + std::to_string(i), i);
  for (int i = 0; i < 8; ++i) object.erase("old" + std::to_string(i));

  object.set("new", 1);
  object.set("new", 2);

  ASSERT_NE(object.find("new"), nullptr);
  EXPECT_EQ(*object.find("new"), Value(2));
  EXPECT_EQ(object.size(), 3U);
}

TEST(Object, TakesAKeyThatIsAViewOfOneOfItsOwnStrings) {
  Object object;
  for (int i = 0; i < 100; ++i) object.set("key" + std::to_string(i), "text" + std::to_string(i));

  for (int i = 0; i < 100; ++i) object.set(object.find("key" + std::to_string(i))->as_string(), i);

  for (int i = 0; i < 100; ++i) ASSERT_EQ(*object.find("text" + std::to_string(i)), Value(i));
}

TEST(Object, OrdersIndicesBeforeNames) {
  Object object{{"b", 1}, {"10", 2}, {"2", 3}, {"02", 4}, {"4294967295", 5}};
  std::string keys;
  for (const auto* member : object.ordered()) keys += member->first + " ";

  EXPECT_EQ(keys, "2 10 b 02 4294967295 ");
}

}  // namespace
}  // namespace muster
