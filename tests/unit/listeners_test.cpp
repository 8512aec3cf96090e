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
  const Listener& added = listeners.add("key", Dealer());

  EXPECT_EQ(listeners.find("key"), &added);
  EXPECT_EQ(listeners.find(added.id), &added);
  EXPECT_EQ(listeners.find("other"), nullptr);
  EXPECT_EQ(listeners.find(ListenerId{99}), nullptr);
}

TEST(Listeners, KeepARetiredListenerUnderItsIdOnly) {
  Listeners listeners;
  const Listener& old = listeners.add("key", Dealer());
  listeners.retire(old.id);

  EXPECT_TRUE(listeners.empty());
  EXPECT_EQ(listeners.find("key"), nullptr);
  EXPECT_EQ(listeners.find(old.id), &old);
  EXPECT_EQ(listeners.ids(), std::vector<ListenerId>{old.id});
}

TEST(Listeners, LetASuccessorOfARetiredListenerBe) {
  Listeners listeners;
  const ListenerId old = listeners.add("key", Dealer()).id;
  listeners.retire(old);
  const Listener& fresh = listeners.add("key", SharedHandle());
  ASSERT_NE(fresh.id, old);

  listeners.erase(old);
  listeners.retire(old);

  EXPECT_EQ(listeners.find("key"), &fresh);
  EXPECT_EQ(listeners.find(old), nullptr);
}

TEST(Listener, AsksItsSchedulerWhoListens) {
  for (std::variant<Dealer, SharedHandle, KernelHandle> scheduler :
       {std::variant<Dealer, SharedHandle, KernelHandle>(Dealer()), {SharedHandle()}, {KernelHandle()}}) {
    Listener listener{ListenerId{1}, "key", std::move(scheduler)};
    EXPECT_FALSE(listener.has_workers());

    std::visit([](auto& s) { s.add(WorkerId{1}); }, listener.scheduler);

    EXPECT_TRUE(listener.has_workers());
    EXPECT_TRUE(listener.has(WorkerId{1}));
    EXPECT_FALSE(listener.has(WorkerId{2}));
  }
}

}  // namespace
}  // namespace muster::core
