// UDP sockets, alone and shared by workers.

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

TEST(Dgram, TellsADatagramAndWhereItCameFrom) {
  Primary primary;
  auto receiver = dgram::create_socket(primary.cluster);
  auto sender = dgram::create_socket(primary.cluster);
  std::string got;
  receiver.on_message([&](std::string_view bytes, const dgram::RemoteInfo& from) {
    got = bytes;
    EXPECT_EQ(from.address, "127.0.0.1");
    EXPECT_EQ(from.port, sender.address()->port);
    EXPECT_EQ(from.size, bytes.size());
    receiver.close();
    sender.close();
  });
  std::error_code sent(1, std::generic_category());
  dgram::BindOptions options;
  options.address = "127.0.0.1";
  receiver.bind(options, [&] {
    sender.send("hello", receiver.address()->port.value(), {}, [&](std::error_code error) { sent = error; });
  });

  primary.run();

  EXPECT_EQ(got, "hello");
  EXPECT_EQ(sent, std::error_code());
}

TEST(Dgram, SendsToAConnectedPeerOnly) {
  Primary primary;
  auto receiver = dgram::create_socket(primary.cluster);
  auto sender = dgram::create_socket(primary.cluster);
  std::string got;
  receiver.on_message([&](std::string_view bytes, const dgram::RemoteInfo&) {
    got = bytes;
    receiver.close();
    sender.close();
  });
  receiver.bind(0, [&] {
    sender.connect(receiver.address()->port.value(), "127.0.0.1", [&] {
      EXPECT_EQ(sender.remote_address()->port, receiver.address()->port);
      EXPECT_THROW(sender.send("x", 1), Exception);
      sender.send("to my peer");
    });
  });
  auto unconnected = dgram::create_socket(primary.cluster);
  EXPECT_THROW(unconnected.send("x"), Exception);

  primary.run();

  EXPECT_EQ(got, "to my peer");
}

TEST(Dgram, HearsItsGroupOnLoopback) {
  Primary primary;
  dgram::SocketOptions options;
  options.reuse_addr = true;
  auto member = dgram::create_socket(primary.cluster, options);
  std::string got;
  member.on_message([&](std::string_view bytes, const dgram::RemoteInfo&) {
    got = bytes;
    member.drop_membership("224.0.0.114", "127.0.0.1");
    member.close();
  });
  member.bind(0, [&] {
    member.add_membership("224.0.0.114", "127.0.0.1");
    member.set_multicast_loopback(true);
    member.set_multicast_ttl(0);
    member.set_multicast_interface("127.0.0.1");
    member.send("to all", member.address()->port.value(), "224.0.0.114");
  });

  primary.run();

  EXPECT_EQ(got, "to all");
}

TEST(Dgram, RefusesMisuse) {
  Primary primary;
  auto socket = dgram::create_socket(primary.cluster);
  EXPECT_THROW(socket.bind(65536), Exception);
  EXPECT_THROW(socket.set_broadcast(true), Exception);
  socket.bind(0);
  EXPECT_THROW(socket.bind(0), Exception);
  socket.close();
  EXPECT_THROW(socket.close(), Exception);
  EXPECT_THROW(socket.send("x", 1), Exception);

  primary.run();
}

TEST(Dgram, TellsThatItsAddressIsTaken) {
  Primary primary;
  auto first = dgram::create_socket(primary.cluster);
  auto second = dgram::create_socket(primary.cluster);
  std::string message;
  dgram::BindOptions options;
  options.address = "127.0.0.1";
  second.on_error([&](const Error& error) {
    message = error.message;
    first.close();
  });
  std::string port;
  first.bind(options, [&] {
    options.port = first.address()->port.value();
    port = std::to_string(options.port);
    second.bind(options);
  });

  primary.run();

  EXPECT_EQ(message, "bind EADDRINUSE 127.0.0.1:" + port);
}

// Answers each datagram with its pid.
WORKER(UdpPid) {
  dgram::SocketOptions options;
  if (std::getenv("MUSTER_TEST_UDP6")) options = {dgram::Type::udp6, false, false, true};
  auto socket = dgram::create_socket(cluster, options);
  socket.on_message([socket, pid = cluster.process().pid()](std::string_view, const dgram::RemoteInfo& from) mutable {
    socket.send(std::to_string(pid), from.port, from.address);
  });
  cluster.process().on_message([socket](Message& message) mutable {
    if (message.data == Value("close")) socket.close();
  });
  socket.bind(0);
  return loop.run();
}

class DgramIn : public testing::TestWithParam<Serialization> {};
INSTANTIATE_TEST_SUITE_P(Each, DgramIn, testing::Values(Serialization::json, Serialization::advanced));

TEST_P(DgramIn, IsSharedByWorkersThatBindTheSameAddress) {
  Primary primary;
  primary.cluster.setup_primary(speaking(GetParam()));
  std::set<int> ports;
  std::map<std::string, int> answers;
  int listening = 0;
  int asked = 0;
  auto client = dgram::create_socket(primary.cluster);
  const auto ask = [&] {
    ++asked;
    client.send("who?", *ports.begin(), "127.0.0.1");
  };
  client.on_message([&](std::string_view pid, const dgram::RemoteInfo&) {
    ++answers[std::string(pid)];
    if (asked < 20) return ask();
    client.close();
    primary.finish();
  });
  primary.cluster.on_listening([&](Worker, const Address& address) {
    EXPECT_EQ(address.type, AddressType::udp4);
    EXPECT_EQ(address.address, "0.0.0.0");
    ports.insert(address.port.value());
    if (++listening == 2) ask();
  });
  Worker first = primary.cluster.fork(worker("UdpPid"));
  Worker second = primary.cluster.fork(worker("UdpPid"));

  primary.run();

  EXPECT_EQ(ports.size(), 1U);
  int total = 0;
  for (const auto& [pid, count] : answers) {
    EXPECT_TRUE(pid == std::to_string(first.process().pid()) || pid == std::to_string(second.process().pid()));
    total += count;
  }
  EXPECT_EQ(total, 20);
}

TEST(Dgram, OfSixKindIsSharedToo) {
  Primary primary;
  std::optional<AddressType> type;
  primary.cluster.on_listening([&](Worker, const Address& address) {
    type = address.type;
    primary.finish();
  });
  primary.cluster.fork(worker("UdpPid", {{"MUSTER_TEST_UDP6", "1"}}));

  primary.run();

  EXPECT_EQ(type, AddressType::udp6);
}

TEST_P(DgramIn, SentToAWorkerIsReadThere) {
  Primary primary;
  primary.cluster.setup_primary(speaking(GetParam()));
  auto socket = dgram::create_socket(primary.cluster);
  auto client = dgram::create_socket(primary.cluster);
  std::string answer;
  Worker w = primary.cluster.fork(worker("TakesUdp"));
  client.on_message([&](std::string_view bytes, const dgram::RemoteInfo&) {
    answer = bytes;
    client.close();
    primary.finish();
  });
  w.on_message([&](Message&) {
    const int port = socket.address()->port.value();
    // Or it might be the one that reads it.
    socket.close([&, port] { client.send("hello", port, "127.0.0.1"); });
  });
  socket.bind(0, [&] { w.send("take this", socket.to_handle()); });

  primary.run();

  EXPECT_EQ(answer, "hello from the worker");
}

WORKER(TakesUdp) {
  cluster.process().on_message([&cluster](Message& message) {
    auto socket = dgram::create_socket(cluster);
    socket.on_message([socket](std::string_view bytes, const dgram::RemoteInfo& from) mutable {
      // What does not come from the primary is not closed when the worker is asked to leave.
      socket.send(std::string(bytes) + " from the worker", from.port, from.address,
                  [socket](std::error_code) mutable { socket.close(); });
    });
    socket.bind(std::move(message.handle), [self = cluster.process()]() mutable { self.send("bound"); });
  });
  return loop.run();
}

}  // namespace
}  // namespace muster::test
