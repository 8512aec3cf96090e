// SPDX-License-Identifier: MIT
#include "core/listen_rights.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

constexpr int root = 0, nobody = 65534;

wire::ListenQuery tcp(int port, std::optional<std::string> host = {}) {
  wire::ListenQuery query;
  query.port = port;
  query.address = std::move(host);
  query.address_type = AddressType::tcp4;
  return query;
}

wire::ListenQuery path(const std::string& path) {
  wire::ListenQuery query;
  query.address = path;
  query.port = -1;
  query.address_type = AddressType::pipe;
  return query;
}

wire::ListenQuery descriptor(int fd) {
  wire::ListenQuery query;
  query.fd = fd;
  return query;
}

ListenRights rights(std::optional<int> uid, std::vector<ListenOptions> may_listen = {}, Host host = {root}) {
  Settings settings;
  settings.uid = uid;
  settings.may_listen = std::move(may_listen);
  return ListenRights(settings, host);
}

bool refused(const ListenRights& rights, const wire::ListenQuery& query) {
  return std::holds_alternative<ListenRights::Refused>(rights.judge(query));
}

// Whose; nothing for the primary's.
std::optional<User> user(const ListenRights& rights, const wire::ListenQuery& query) {
  return std::get<ListenRights::Granted>(rights.judge(query)).user;
}

TEST(ListenRights, OfTheSameUserAreThePrimarys) {
  for (const auto uid : {std::optional<int>(), std::optional<int>(root)}) {
    EXPECT_EQ(user(rights(uid), tcp(80)), std::nullopt);
    EXPECT_EQ(user(rights(uid), path("/run/x")), std::nullopt);
  }
}

TEST(ListenRights, OfAnotherUserAreThatUsersUnlessTheSettingsNameIt) {
  const ListenRights theirs = rights(nobody, {{.port = 80}, {.port = 443, .host = "127.0.0.1"}, {.path = "/run/x"}});

  EXPECT_EQ(user(theirs, tcp(80)), std::nullopt);
  EXPECT_EQ(user(theirs, tcp(80, "::1")), std::nullopt);
  EXPECT_EQ(user(theirs, tcp(443, "127.0.0.1")), std::nullopt);
  EXPECT_EQ(user(theirs, tcp(443, "0.0.0.0")), User{nobody});
  EXPECT_EQ(user(theirs, tcp(81)), User{nobody});
  EXPECT_EQ(user(theirs, path("/run/x")), std::nullopt);
  EXPECT_EQ(user(theirs, path("/run/../run/x")), User{nobody});
}

TEST(ListenRights, GiveADescriptorOnlyWhereItWasNamed) {
  for (const auto uid : {std::optional<int>(), std::optional<int>(nobody)}) {
    EXPECT_TRUE(refused(rights(uid), descriptor(5)));
    EXPECT_TRUE(refused(rights(uid, {{.port = 5}}), descriptor(5)));
    EXPECT_FALSE(refused(rights(uid, {{.fd = 5}}), descriptor(5)));
    EXPECT_FALSE(refused(rights(uid, {}, {root, {5}}), descriptor(5)));
    EXPECT_FALSE(refused(rights(uid, {}, {.uid = root, .any_descriptor = true}), descriptor(5)));
  }
  // A descriptor that is none is what Node's datagram sockets send.
  EXPECT_EQ(user(rights(nobody),
                 [] {
                   auto query = tcp(0);
                   query.fd = -1;
                   return query;
                 }()),
            User{nobody});
}

TEST(ListenRights, LetNobodyIntoASocketOfAnotherUser) {
  const ListenRights theirs = rights(nobody), primarys = rights({});

  EXPECT_TRUE(theirs.may_share({User{nobody}}, User{nobody}));
  EXPECT_FALSE(theirs.may_share({User{nobody}}, std::nullopt));
  EXPECT_FALSE(theirs.may_share({User{nobody}}, User{1000}));
  EXPECT_TRUE(theirs.may_share({}, std::nullopt));
  EXPECT_TRUE(primarys.may_share({}, User{nobody}));
}

}  // namespace
}  // namespace muster::core
