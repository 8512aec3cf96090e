#include <gtest/gtest.h>
#include <muster/error.h>
#include <muster/value.h>

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
