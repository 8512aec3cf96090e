// SPDX-License-Identifier: MIT
#include <muster/builtins.h>

#include <gtest/gtest.h>

#include <cmath>

namespace muster {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::system_clock;

TEST(Date, ConvertsToAndFromTheSystemsClock) {
  const system_clock::time_point time(milliseconds(1'700'000'000'123));

  EXPECT_EQ(Date(time).milliseconds, 1'700'000'000'123.0);
  EXPECT_EQ(Date(time).time_point(), time);
  EXPECT_EQ(Date(system_clock::time_point(nanoseconds(-1))).milliseconds, -1);
}

TEST(Date, HasNoTimeOfTheClockWhereItIsInvalidOrBeyondIt) {
  EXPECT_EQ(Date(std::nan("")).time_point(), std::nullopt);
  EXPECT_EQ(Date(8.64e15).time_point(), std::nullopt);
  EXPECT_FALSE(Date(std::nan("")).valid());
  EXPECT_FALSE(Date(INFINITY).valid());
  EXPECT_TRUE(Date(8.64e15).valid());
}

TEST(Date, IsWrittenAsToISOStringDoes) {
  const std::pair<double, const char*> cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                                                  {-1, "1969-12-31T23:59:59.999Z"},
                                                  {1709210096789, "2024-02-29T12:34:56.789Z"},
                                                  {951782400000, "2000-02-29T00:00:00.000Z"},
                                                  {-2203891200000, "1900-03-01T00:00:00.000Z"},
                                                  {253402300799999, "9999-12-31T23:59:59.999Z"},
                                                  {253402300800000, "+010000-01-01T00:00:00.000Z"},
                                                  {-62167219200000, "0000-01-01T00:00:00.000Z"},
                                                  {-62167219200001, "-000001-12-31T23:59:59.999Z"},
                                                  {8.64e15, "+275760-09-13T00:00:00.000Z"},
                                                  {-8.64e15, "-271821-04-20T00:00:00.000Z"},
                                                  {8.64e15 + 1, ""},
                                                  {std::nan(""), ""}};

  for (const auto& [time, text] : cases) EXPECT_EQ(Date(time).to_iso_string(), text);
}

TEST(Date, EqualsAnotherThatIsInvalid) {
  EXPECT_EQ(Date(std::nan("")), Date(std::nan("")));
  EXPECT_FALSE(Date(std::nan("")) == Date(0));
}

TEST(View, HoldsTheElementsOfACppType) {
  const View view = View::of<std::int16_t>({1, -2});

  EXPECT_EQ(view.type, View::Type::int16);
  EXPECT_EQ(view.bytes, std::string("\1\0\xfe\xff", 4));
  EXPECT_EQ(view.length(), 2U);
  EXPECT_EQ(view.elements<std::int16_t>(), (std::vector<std::int16_t>{1, -2}));
  EXPECT_EQ(view.elements<std::int32_t>(), (std::vector<std::int32_t>{-131071}));
  EXPECT_EQ((View{View::Type::int32, "abcde"}).length(), 1U);
  EXPECT_TRUE(View().elements<double>().empty());
}

TEST(View, ReadsElementsAsNumbers) {
  EXPECT_EQ(View::of<float>({1.5F}).number_at(0), 1.5);
  EXPECT_EQ(View::of<double>({0.1}).number_at(0), 0.1);
  EXPECT_EQ(View::of<std::int8_t>({-1}).number_at(0), -1);
  EXPECT_EQ(View::of<std::uint32_t>({4294967295}).number_at(0), 4294967295.0);
  EXPECT_EQ(View::of<std::int64_t>({-3}).number_at(0), -3);
  EXPECT_EQ(View::buffer("\xff").number_at(0), 255);
  EXPECT_TRUE(std::isnan(View::buffer("").number_at(0)));
}

TEST(View, ReadsHalfFloats) {
  const std::pair<const char*, double> cases[] = {
      {"\x00\x3c", 1},     {"\x00\xc0", -2},       {"\x01\x00", 0x1p-24},   {"\xff\x03", 1023 * 0x1p-24}, {"\x00\x04", 0x1p-14},
      {"\xff\x7b", 65504}, {"\x00\x7c", INFINITY}, {"\x00\xfc", -INFINITY}, {"\x55\x35", 0.333251953125}, {"\x00\x80", -0.0}};
  for (const auto& [bytes, number] : cases) {
    EXPECT_EQ((View{View::Type::float16, std::string(bytes, 2)}).number_at(0), number);
  }
  EXPECT_TRUE(std::isnan((View{View::Type::float16, std::string("\x01\x7c", 2)}).number_at(0)));
}

}  // namespace
}  // namespace muster
