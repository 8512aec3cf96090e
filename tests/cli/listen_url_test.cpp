// SPDX-License-Identifier: MIT
#include "config/listen_url.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

TEST(ListenUrl, IsASocketOfOneOfThreeKinds) {
  const auto tcp = parse_listen("tcp://127.0.0.1:8000");
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->type, ListenUrl::Type::tcp);
  EXPECT_EQ(tcp->options.host, "127.0.0.1");
  EXPECT_EQ(tcp->options.port, 8000);

  const auto udp = parse_listen("udp://[::1]:53");
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->type, ListenUrl::Type::udp);
  EXPECT_EQ(udp->options.host, "::1");

  const auto path = parse_listen("unix:/run/app.sock");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->type, ListenUrl::Type::unix_stream);
  EXPECT_EQ(path->options.path, "/run/app.sock");
  EXPECT_FALSE(path->options.port);
}

TEST(ListenUrl, NamesEveryAddressWithAStar) {
  EXPECT_EQ(parse_listen("tcp://*:0")->options.host, "");
  EXPECT_EQ(parse_listen("tcp://[::]:80")->options.host, "::");
}

TEST(ListenUrl, IsNothingElse) {
  for (const auto* text : {"", "8000", "127.0.0.1:8000", "tcp://", "tcp://:80", "tcp://host", "tcp://host:", "tcp://host:65536",
                           "tcp://host:-1", "tcp://::1:80", "tcp://[::1:80", "tcp://[]:80", "tcp://[nine]:80", "http://host:80",
                           "tcp://host:80/", "tcp://ho st:80", "unix:", "TCP://host:80"}) {
    EXPECT_FALSE(parse_listen(text)) << text;
  }
  EXPECT_FALSE(parse_listen("unix:/" + std::string(107, 'x'))) << "bind() has no room for it";
}

TEST(ListenUrl, IsWrittenAsItIsRead) {
  for (const auto* text : {"tcp://127.0.0.1:8000", "tcp://*:0", "tcp://[::]:80", "udp://localhost:53", "unix:/run/app.sock"}) {
    EXPECT_EQ(to_string(*parse_listen(text)), text);
  }
}

TEST(HostPort, NeedsBoth) {
  EXPECT_EQ(parse_host_port("[::1]:9000")->host, "::1");
  EXPECT_EQ(parse_host_port("localhost:9000")->port, 9000);
  EXPECT_FALSE(parse_host_port("9000"));
  EXPECT_FALSE(parse_host_port(":9000"));
}

}  // namespace
}  // namespace muster::cli
