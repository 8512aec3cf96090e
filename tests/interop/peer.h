// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <tuple>

#include <gtest/gtest.h>
#include <muster/settings.h>

#include "support/node.h"

namespace muster::test {

// A Node, and how it speaks.
struct Peer {
  int version;
  Serialization serialization;
};
inline const Peer peers[] = {
    {20, Serialization::json}, {20, Serialization::advanced}, {26, Serialization::json}, {26, Serialization::advanced}};
inline const auto each_peer = testing::ValuesIn(peers);

inline std::string name_of(Peer peer) {
  return node_name(peer.version) + (peer.serialization == Serialization::json ? "_json" : "_advanced");
}

using PeerAndPolicy = std::tuple<Peer, const char*>;
inline const auto policies = testing::Values("rr", "none");

inline std::string name_of_both(const testing::TestParamInfo<PeerAndPolicy>& info) {
  const auto [peer, policy] = info.param;
  return policy + ("_" + name_of(peer));
}

}  // namespace muster::test
