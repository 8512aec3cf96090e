// SPDX-License-Identifier: MIT
// What things print as, and values as JSON.

#include <sstream>
#include <type_traits>

#include <gtest/gtest.h>
#include <muster/fmt.h>
#include <muster/muster.h>

namespace muster {
namespace {

std::string printed(const auto& thing) {
  std::ostringstream out;
  out << thing;
  EXPECT_EQ(fmt::format("{}", thing), out.str());
  return out.str();
}

TEST(Text, OfWhatAProgramLogs) {
  EXPECT_EQ(printed(Address{AddressType::tcp6, "::1", 8000}), "[::1]:8000");
  EXPECT_EQ(printed(ExitStatus::exited(3)), "3");
  EXPECT_EQ(printed(ExitStatus::killed(Signal::kill)), ExitStatus::killed(Signal::kill).to_string());
  EXPECT_EQ(printed(system_error(EADDRINUSE, "bind", "127.0.0.1", 80)), "bind EADDRINUSE 127.0.0.1:80");
  EXPECT_EQ(fmt::format("{:>6}|", ExitStatus::exited(3)), "     3|");
}

TEST(Text, OfAValueIsItsJson) {
  EXPECT_EQ(printed(Value{{"a", 1}, {"b", Value::array({"x", nullptr, true})}}), R"({"a":1,"b":["x",null,true]})");
  EXPECT_EQ(printed(Value()), "null");
  EXPECT_EQ(printed(Value(BigInt(7))), "7n");
  EXPECT_EQ(printed(Value{{"a", BigInt(7)}}), "[holds a bigint]");
  Value circle = Value::object();
  circle.set("self", circle.weak());
  EXPECT_EQ(printed(circle), "[nested too deep]");
}

TEST(Json, OfAValueIsReadAgain) {
  const Value value{{"a", 1.5}, {"b", Value::array({"ü", nullptr})}};
  EXPECT_EQ(Value::from_json(value.to_json()), value);
  EXPECT_EQ(Value::from_json("{\"a\":"), std::nullopt);
  EXPECT_EQ(Value::from_json(""), std::nullopt);
  try {
    static_cast<void>(Value(BigInt(7)).to_json());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Exception& e) {
    EXPECT_EQ(std::string(e.what()), "ERR_INVALID_ARG_VALUE: The value has no JSON: holds a bigint");
  }
}

// A pointer would be a bool, and not every whole number of 64 bits is a double.
static_assert(!std::is_constructible_v<Value, const int*>);
static_assert(!std::is_constructible_v<Value, void*>);
static_assert(std::is_convertible_v<const char*, Value>);
static_assert(std::is_convertible_v<int, Value> && std::is_convertible_v<double, Value>);
static_assert(!std::is_convertible_v<std::uint64_t, Value> && std::is_constructible_v<Value, std::int64_t>);

// A listener that captured a handle by value may use it.
static_assert(std::is_invocable_v<decltype([](const Worker& worker) { worker.kill(); }), const Worker&>);
static_assert(std::is_invocable_v<decltype([](const net::Socket& socket) { socket.end("x"); }), const net::Socket&>);
static_assert(std::is_invocable_v<decltype([](const http::Response& response) { response.end(); }), const http::Response&>);

static_assert(std::string_view(MUSTER_VERSION).starts_with("0."));

}  // namespace
}  // namespace muster
