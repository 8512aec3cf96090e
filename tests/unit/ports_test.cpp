// SPDX-License-Identifier: MIT
#include "core/ports.h"

#include <gtest/gtest.h>

#include "core/listeners.h"

namespace muster::core {
namespace {

constexpr FdToken first{1}, second{2}, third{3};
constexpr ListenerId one{1}, two{2};

wire::ListenQuery port(int number) {
  wire::ListenQuery query;
  query.port = number;
  query.address_type = AddressType::tcp4;
  return query;
}

Ports::Port opened(FdToken socket, int number, std::optional<User> user = {}) {
  BoundSocket bound{socket, false, {}, wire::SocketName{"::", true, number}};
  return {Listeners::key_of(port(number)), std::move(bound), false, false, user, {one}};
}

TEST(Ports, AreFoundByNameAndByAddress) {
  Ports ports;
  EXPECT_FALSE(ports.keeps());
  ports.keep(10);
  EXPECT_TRUE(ports.keeps());
  EXPECT_EQ(ports.add(opened(first, 80)), std::nullopt);
  BoundSocket given{second, false, {}, wire::SocketName{"127.0.0.1", false, 81}};
  EXPECT_EQ(ports.add({"what systemd calls it", given, true, true}), std::nullopt);

  EXPECT_EQ(ports.use(port(80), "", {}, two), first);
  wire::ListenQuery query = port(81);
  query.address = "localhost";
  EXPECT_EQ(ports.use(query, "127.0.0.1", {}, two), second);
  EXPECT_EQ(ports.use(query, "127.0.0.2", {}, two), std::nullopt);
  EXPECT_EQ(ports.use(port(82), "", {}, two), std::nullopt);
  wire::ListenQuery datagrams = port(80);
  datagrams.address_type = AddressType::udp4;
  EXPECT_EQ(ports.use(datagrams, "", {}, two), std::nullopt);
}

// Whoever has no right to open it may not have it because somebody else had.
TEST(Ports, ServeWhoHasTheRightsThatTheyWereOpenedWith) {
  const User user{1000}, other{1001};
  Ports ports;
  ports.keep(10);
  EXPECT_EQ(ports.add(opened(first, 80, user)), std::nullopt);
  EXPECT_EQ(ports.add(opened(second, 81)), std::nullopt);

  EXPECT_EQ(ports.use(port(80), "", user, two), first);
  EXPECT_EQ(ports.use(port(80), "", other, two), std::nullopt);
  EXPECT_EQ(ports.use(port(80), "", {}, two), first);
  EXPECT_EQ(ports.use(port(81), "", user, two), std::nullopt);
  EXPECT_EQ(ports.use(port(81), "", {}, two), second);
}

TEST(Ports, AreReleasedWhenNobodyUsesThem) {
  Ports ports;
  ports.keep(10);
  EXPECT_EQ(ports.add(opened(first, 80)), std::nullopt);
  EXPECT_EQ(ports.use(port(80), "", {}, two), first);
  ports.leave(one);
  EXPECT_TRUE(ports.release_unused().empty());
  ports.leave(two);
  EXPECT_EQ(ports.release_unused(), std::vector<FdToken>{first});
  EXPECT_TRUE(ports.all().empty());
}

TEST(Ports, AreNoMoreThanTheirLimit) {
  Ports ports;
  ports.keep(2);
  EXPECT_EQ(ports.add(opened(first, 80)), std::nullopt);
  EXPECT_EQ(ports.add(opened(second, 81)), std::nullopt);
  ports.leave(one);
  EXPECT_EQ(ports.add(opened(third, 82)), first);
  EXPECT_EQ(ports.clear(), (std::vector<FdToken>{second, third}));
  EXPECT_FALSE(ports.keeps());
}

}  // namespace
}  // namespace muster::core
