// SPDX-License-Identifier: MIT
#include "core/listeners.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

wire::ListenQuery query(std::optional<std::string> address, std::optional<int> port, std::optional<AddressType> type) {
  wire::ListenQuery query;
  query.address = std::move(address);
  query.port = port;
  query.address_type = type;
  return query;
}

// Of Node 22 and later.
TEST(Listeners, ComposeTheirKeyAsNodeDoes) {
  EXPECT_EQ(Listeners::key_of(query({}, 18101, AddressType::tcp4)), "null:18101:4:undefined");
  EXPECT_EQ(Listeners::key_of(query("::1", 80, AddressType::tcp6)), "::1:80:6:undefined");
  EXPECT_EQ(Listeners::key_of(query("/srv/x.sock", -1, AddressType::pipe)), "/srv/x.sock:-1:-1:undefined");
  wire::ListenQuery udp = query("0.0.0.0", 53, AddressType::udp4);
  udp.fd = -1;
  EXPECT_EQ(Listeners::key_of(udp), "0.0.0.0:53:udp4:-1");
  wire::ListenQuery fd;
  fd.fd = 99;
  EXPECT_EQ(Listeners::key_of(fd), "null:null:null:99");
}

TEST(Listeners, TellApartOnlyTheListensOnAnyPortByTheirIndex) {
  wire::ListenQuery any = query("127.0.0.1", 0, AddressType::tcp4);
  any.index = 2;
  wire::ListenQuery fixed = query("127.0.0.1", 80, AddressType::tcp4);
  fixed.index = 2;

  EXPECT_EQ(Listeners::key_of(any), "127.0.0.1:0:4:undefined:2");
  EXPECT_EQ(Listeners::key_of(fixed), "127.0.0.1:80:4:undefined");
}

TEST(Listeners, FindByKeyAndById) {
  Listeners listeners;
  const auto [id, added] = listeners.add("key", Dealer());
  ListenerId found{};

  EXPECT_EQ(listeners.find("key", found), added);
  EXPECT_EQ(found, id);
  EXPECT_EQ(listeners.find(id), added);
  EXPECT_EQ(listeners.find("other", found), nullptr);
  EXPECT_EQ(listeners.find(ListenerId{99}), nullptr);
}

TEST(Listeners, KeepARetiredListenerUnderItsIdOnly) {
  Listeners listeners;
  const auto old = listeners.add("key", Dealer());
  listeners.retire(old.first);
  ListenerId found{};

  EXPECT_TRUE(listeners.empty());
  EXPECT_EQ(listeners.find("key", found), nullptr);
  EXPECT_EQ(listeners.find(old.first), old.second);
  EXPECT_EQ(listeners.ids(), std::vector<ListenerId>{old.first});
}

TEST(Listeners, LetASuccessorOfARetiredListenerBe) {
  Listeners listeners;
  const auto old = listeners.add("key", Dealer());
  listeners.retire(old.first);
  const auto fresh = listeners.add("key", SharedHandle());
  ASSERT_NE(fresh.first, old.first);

  listeners.erase(old.first);
  listeners.retire(old.first);

  ListenerId found{};
  EXPECT_EQ(listeners.find("key", found), fresh.second);
  EXPECT_EQ(listeners.find(old.first), nullptr);
}

TEST(Listener, AsksItsSchedulerWhoListens) {
  for (std::variant<Dealer, SharedHandle, KernelHandle> scheduler :
       {std::variant<Dealer, SharedHandle, KernelHandle>(Dealer()), {SharedHandle()}, {KernelHandle()}}) {
    Listener listener{"key", std::move(scheduler)};
    EXPECT_FALSE(listener.has_workers());

    std::visit([](auto& s) { s.add(WorkerId{1}); }, listener.scheduler);

    EXPECT_TRUE(listener.has_workers());
    EXPECT_TRUE(listener.has(WorkerId{1}));
    EXPECT_FALSE(listener.has(WorkerId{2}));
  }
}

}  // namespace
}  // namespace muster::core
