// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <muster/address.h>
#include <muster/scheduling.h>

namespace muster {
namespace {

TEST(Address, IsPrintedForReaders) {
  EXPECT_EQ(to_string(Address{AddressType::tcp4, "127.0.0.1", 8000}), "127.0.0.1:8000");
  EXPECT_EQ(to_string(Address{AddressType::tcp6, "::1", 8000}), "[::1]:8000");
  EXPECT_EQ(to_string(Address{AddressType::tcp4, {}, 8000}), "null:8000");
  EXPECT_EQ(to_string(Address{AddressType::pipe, "/run/x.sock", -1}), "/run/x.sock");
  EXPECT_EQ(to_string(Address{AddressType::tcp4, {}, {}}), "null");
}

TEST(AddressType, HasNodesValueAndName) {
  EXPECT_EQ(static_cast<int>(AddressType::pipe), -1);
  EXPECT_EQ(static_cast<int>(AddressType::tcp4), 4);
  EXPECT_EQ(static_cast<int>(AddressType::tcp6), 6);
  EXPECT_EQ(to_string(AddressType::pipe), "-1");
  EXPECT_EQ(to_string(AddressType::tcp4), "4");
  EXPECT_EQ(to_string(AddressType::tcp6), "6");
  EXPECT_EQ(to_string(AddressType::udp4), "udp4");
  EXPECT_EQ(to_string(AddressType::udp6), "udp6");
}

TEST(SchedulingPolicy, HasNodesNamesAndValues) {
  EXPECT_EQ(static_cast<int>(sched_none), 1);
  EXPECT_EQ(static_cast<int>(sched_rr), 2);
  EXPECT_EQ(scheduling_policy_from_name("rr"), SchedulingPolicy::round_robin);
  EXPECT_EQ(scheduling_policy_from_name("none"), SchedulingPolicy::none);
  EXPECT_EQ(scheduling_policy_from_name("RR"), std::nullopt);
  EXPECT_EQ(scheduling_policy_from_name(""), std::nullopt);
}

}  // namespace
}  // namespace muster
