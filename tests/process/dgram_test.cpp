// SPDX-License-Identifier: MIT
// UDP sockets, alone and shared by workers.

#include <unistd.h>

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

TEST(Dgram, ReportsWhatTheSystemRefusesAsAnError) {
  Primary primary;
  dgram::Socket socket = dgram::create_socket(primary.cluster);
  std::vector<std::string> told;
  socket.on_error([&](const Error& error) { told.push_back(error.message); });
  socket.bind(0, [&] {
    socket.set_multicast_ttl(1000);
    socket.add_membership("127.0.0.1");
    socket.close();
  });

  primary.run();

  EXPECT_EQ(told, (std::vector<std::string>{"setMulticastTTL EINVAL", "addMembership EINVAL"}));
}

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
  if (std::getenv("TESTS_UDP6")) options = {dgram::Type::udp6, false, false, true};
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
  primary.cluster.fork(worker("UdpPid", {{"TESTS_UDP6", "1"}}));

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

// --- what workers bind -------------------------------------------------------------------------------

// Binds what it is told: {bind: n, type, port, address, reuseAddr, ipv6Only, exclusive} is its socket n, {close: n} closes it,
// {send: n, to} sends from it. It tells what comes of it.
WORKER(UdpSockets) {
  auto sockets = std::make_shared<std::map<int, dgram::Socket>>();
  Process self = cluster.process();
  self.on_message([&cluster, sockets, self](Message& message) mutable {
    const Value& data = message.data;
    const auto number = [&](const char* key) { return static_cast<int>(data[key].number_or(0)); };
    if (data["close"].is_number()) {
      sockets->at(number("close")).close([self]() mutable { self.send(Value{{"closed", true}}); });
      return;
    }
    const int n = data["bind"].is_number() ? number("bind") : number("send");
    if (!sockets->contains(n)) {
      dgram::SocketOptions options;
      options.type = data["type"] == Value("udp6") ? dgram::Type::udp6 : dgram::Type::udp4;
      options.reuse_addr = data["reuseAddr"].truthy();
      options.ipv6_only = data["ipv6Only"].truthy();
      auto socket = dgram::create_socket(cluster, options);
      socket.on_error([self, n](const Error& error) mutable {
        self.send(Value{{"failed", n}, {"code", error_name(error.code)}, {"message", error.message}});
      });
      socket.on_listening([self, socket, n]() mutable {
        self.send(Value{{"bound", n}, {"port", socket.address()->port.value()}});
      });
      socket.on_message([self, n](std::string_view bytes, const dgram::RemoteInfo&) mutable {
        self.send(Value{{"got", std::string(bytes)}, {"socket", n}});
      });
      sockets->emplace(n, socket);
    }
    dgram::Socket socket = sockets->at(n);
    if (data["send"].is_number()) return socket.send("from " + std::to_string(n), number("to"), "127.0.0.1");
    dgram::BindOptions options;
    options.port = number("port");
    options.address = data["address"].string_or("");
    options.exclusive = data["exclusive"].truthy();
    socket.bind(options);
  });
  return loop.run();
}

struct UdpPrimary : Primary {
  UdpPrimary() {
    cluster.on_message([this](Worker w, Message& message) { on_answer(w, message.data); });
  }
  Worker fork() { return cluster.fork(worker("UdpSockets")); }

  Function<void(Worker, const Value&)> on_answer;
};

TEST(Dgram, OfOneWorkerMayHaveAnAddressTwiceWhereBothLetOthersHaveIt) {
  UdpPrimary primary;
  std::vector<std::string> story;
  Worker first = primary.fork();
  Worker second = primary.fork();
  Value port;
  const auto bind = [&](Worker w, int n, bool reuse) {
    w.send(Value{{"bind", n}, {"port", port}, {"address", "127.0.0.1"}, {"reuseAddr", reuse}});
  };
  primary.on_answer = [&](Worker w, const Value& answer) {
    const bool bound = answer["bound"].is_number();
    story.push_back(std::to_string(w.id()) + (bound ? " bound" : " " + std::string(answer["code"].string_or("?"))));
    if (story.size() == 1) port = answer["port"];
    EXPECT_TRUE(!bound || answer["port"] == port);
    switch (story.size()) {
      case 1: return bind(first, 2, true);
      case 2: return bind(first, 3, false);
      case 3: return bind(second, 1, true);
      case 4: return bind(second, 2, true);
      default: primary.finish();
    }
  };
  port = free_port();
  bind(first, 1, true);

  primary.run();

  EXPECT_EQ(story, (std::vector<std::string>{"1 bound", "1 bound", "1 EADDRINUSE", "2 bound", "2 bound"}));
}

TEST(Dgram, OfIpv6OnlyHasThePortThatOneOfIpv4Has) {
  UdpPrimary primary;
  std::vector<std::string> story;
  Worker w = primary.fork();
  Value port;
  primary.on_answer = [&](Worker, const Value& answer) {
    story.push_back(answer["bound"].is_number() ? "bound" : std::string(answer["message"].string_or("?")));
    if (story.size() == 1) {
      port = answer["port"];
      w.send(Value{{"bind", 2}, {"type", "udp4"}, {"port", port}, {"address", "0.0.0.0"}});
    } else {
      EXPECT_EQ(answer["port"], port);
      primary.finish();
    }
  };
  w.send(Value{{"bind", 1}, {"type", "udp6"}, {"port", free_port()}, {"address", "::"}, {"ipv6Only", true}});

  primary.run();

  EXPECT_EQ(story, (std::vector<std::string>{"bound", "bound"}));
}

TEST(Dgram, ThatCannotBeBoundMayBeBoundElsewhere) {
  UdpPrimary primary;
  auto blocker = dgram::create_socket(primary.cluster);
  std::vector<std::string> story;
  Worker w = primary.fork();
  std::string port;
  primary.on_answer = [&](Worker, const Value& answer) {
    story.push_back(std::string(answer["message"].string_or(answer["bound"].is_number() ? "bound" : "closed")));
    if (story.size() == 1) w.send(Value{{"bind", 1}, {"address", "127.0.0.1"}});
    if (story.size() == 2) w.send(Value{{"close", 1}});
    if (story.size() == 3) {
      blocker.close();
      primary.finish();
    }
  };
  dgram::BindOptions options;
  options.address = "127.0.0.1";
  blocker.bind(options, [&] {
    port = std::to_string(blocker.address()->port.value());
    w.send(Value{{"bind", 1}, {"address", "127.0.0.1"}, {"port", blocker.address()->port.value()}});
  });

  primary.run();

  EXPECT_EQ(story, (std::vector<std::string>{"bind EADDRINUSE 127.0.0.1:" + port, "bound", "closed"}));
}

TEST(Dgram, OfItsOwnIsRefusedThePortOfAnotherWorker) {
  UdpPrimary primary;
  Worker first = primary.fork();
  Worker second = primary.fork();
  Value code;
  primary.on_answer = [&](Worker w, const Value& answer) {
    if (w == first) {
      second.send(Value{{"bind", 1}, {"address", "127.0.0.1"}, {"port", answer["port"]}, {"exclusive", true}});
    } else {
      code = answer["code"];
      primary.finish();
    }
  };
  first.send(Value{{"bind", 1}, {"address", "127.0.0.1"}});

  primary.run();

  EXPECT_EQ(code, Value("EADDRINUSE"));
}

TEST(Dgram, ThatSendsWithoutBindHasAPortOfItsOwn) {
  Primary primary;
  // What the primary hears, and from where: two workers that bind, two that do not.
  auto receiver = dgram::create_socket(primary.cluster);
  std::map<std::string, std::set<int>> ports;
  std::size_t heard = 0;
  receiver.on_message([&](std::string_view bytes, const dgram::RemoteInfo& from) {
    ports[std::string(bytes)].insert(from.port);
    if (++heard < 4) return;
    receiver.close();
    primary.finish();
  });
  receiver.bind(0, [&] {
    for (const char* bind : {"", "", "1", "1"}) {
      primary.cluster.fork(
          worker("SendsUdp", {{"TESTS_BIND", bind}, {"TESTS_PORT", std::to_string(receiver.address()->port.value())}}));
    }
  });

  primary.run();

  EXPECT_EQ(ports["unbound"].size(), 2U);
  EXPECT_EQ(ports["bound"].size(), 1U);
}

WORKER(SendsUdp) {
  auto socket = dgram::create_socket(cluster);
  const int port = std::stoi(std::getenv("TESTS_PORT"));
  if (*std::getenv("TESTS_BIND") != 0) {
    socket.bind(0, [socket, port]() mutable { socket.send("bound", port, "127.0.0.1"); });
  } else {
    socket.send("unbound", port, "127.0.0.1");
    // Nobody's but the worker's: it does not go with the cluster's.
    cluster.worker()->on_disconnect([socket]() mutable { socket.close(); });
  }
  return loop.run();
}

// Four workers share a socket. Each takes ten datagrams and leaves; what it leaves must be there for the others.
TEST(Dgram, LeavesToOthersWhatComesAfterItWasClosed) {
  constexpr int workers = 4;
  constexpr int each = 10;
  Primary primary;
  auto sender = dgram::create_socket(primary.cluster);
  int listening = 0;
  std::map<int, int> handled;
  std::vector<ExitStatus> exits;
  primary.cluster.on_listening([&](Worker, const Address& address) {
    if (++listening < workers) return;
    // They stand still until all datagrams are there, so that each could take them all.
    for (auto& [id, w] : primary.cluster.workers()) w.process().kill(Signal::stop);
    auto sent = std::make_shared<int>(0);
    for (int i = 0; i < workers * each; ++i) {
      sender.send("datagram", address.port.value(), "127.0.0.1", [&, sent](std::error_code error) {
        EXPECT_FALSE(error);
        if (++*sent < workers * each) return;
        for (auto& [id, w] : primary.cluster.workers()) w.process().kill(Signal::cont);
        sender.close();
      });
    }
  });
  primary.cluster.on_message(
      [&](Worker w, Message& message) { handled[w.id()] += static_cast<int>(message.data.as_number()); });
  primary.cluster.on_exit([&](Worker, ExitStatus status) { exits.push_back(status); });
  for (int i = 0; i < workers; ++i) primary.cluster.fork(worker("TakesTen"));

  primary.run();

  EXPECT_EQ(handled, (std::map<int, int>{{1, each}, {2, each}, {3, each}, {4, each}}));
  EXPECT_EQ(exits, std::vector(workers, ExitStatus::exited(0)));
}

WORKER(TakesTen) {
  auto socket = dgram::create_socket(cluster);
  auto count = std::make_shared<int>(0);
  socket.on_message([&cluster, socket, count](std::string_view, const dgram::RemoteInfo&) mutable {
    EXPECT_LT(*count, 10);
    if (++*count < 10) return;
    socket.close();
    cluster.process().send(*count);
    cluster.worker()->disconnect();
  });
  socket.bind(0);
  return loop.run();
}

TEST(Dgram, MayBeClosedInItsOwnListening) {
  Primary primary;
  int closed = 0;
  std::vector<ExitStatus> exits;
  primary.cluster.on_listening([&](Worker, const Address&) { ADD_FAILURE() << "it is closed by then"; });
  primary.cluster.on_message([&](Worker, Message& message) { closed += message.data == Value("closed") ? 1 : 0; });
  primary.cluster.on_exit([&](Worker, ExitStatus status) { exits.push_back(status); });
  for (int i = 0; i < 3; ++i) primary.cluster.fork(worker("BindsAndCloses", {{"TESTS_CLOSE", "listening"}}));

  primary.run();

  EXPECT_EQ(closed, 3);
  EXPECT_EQ(exits, std::vector(3, ExitStatus::exited(0)));
}

class ClosedUdp : public testing::TestWithParam<const char*> {};

TEST_P(ClosedUdp, BeforeItsAnswerHearsNothing) {
  Primary primary;
  Value told;
  std::optional<ExitStatus> status;
  std::size_t before = 0;
  std::size_t after = 0;
  Worker w = primary.cluster.fork(worker("BindsAndCloses", {{"TESTS_CLOSE", "at once"}, {"TESTS_ADDRESS", GetParam()}}));
  // Its load board is still on its way.
  w.on_online([&] { before = open_descriptors(getpid()) - 1; });
  w.on_message([&](Message& message) {
    if (message.data == Value("that was all")) {
      after = open_descriptors(getpid());
      w.disconnect();
    } else {
      told = message.data;
      w.send("and then?");
    }
  });
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(told, Value("closed"));
  EXPECT_EQ(after, before) << "the primary keeps the socket";
  EXPECT_EQ(status, ExitStatus::exited(0));
}

INSTANTIATE_TEST_SUITE_P(Dgram, ClosedUdp, testing::Values("127.0.0.1", "192.0.2.1"));

WORKER(BindsAndCloses) {
  auto socket = dgram::create_socket(cluster);
  socket.on_error([&cluster](const Error& error) { cluster.process().send(error.message); });
  auto close = [&cluster, socket]() mutable { socket.close([&cluster] { cluster.process().send("closed"); }); };
  dgram::BindOptions options;
  if (const char* address = std::getenv("TESTS_ADDRESS")) options.address = address;
  if (std::getenv("TESTS_CLOSE") == std::string("at once")) {
    socket.bind(options, [&cluster] { cluster.process().send("listening"); });
    close();
    // The answer to the bind has come by then.
    cluster.process().on_message([&cluster](Message&) { cluster.process().send("that was all"); });
  } else {
    socket.bind(options, close);
    socket.on_close([&cluster] { cluster.worker()->disconnect(); });
  }
  return loop.run();
}

TEST(Dgram, RemembersThatItWasUnreferencedBeforeItWasBound) {
  Primary primary;
  std::optional<ExitStatus> status;
  primary.cluster.on_exit([&](Worker, ExitStatus s) { status = s; });
  primary.cluster.fork(worker("UnrefUdp"));

  primary.run();

  EXPECT_EQ(status, ExitStatus::exited(7));
}

WORKER(UnrefUdp) {
  auto socket = dgram::create_socket(cluster);
  socket.unref();
  socket.bind(0, [&cluster] { cluster.process().unref_channel(); });
  loop.run();
  return 7;
}

TEST(Dgram, SentToAWorkerIsReadInBothProcesses) {
  Primary primary;
  auto socket = dgram::create_socket(primary.cluster);
  auto client = dgram::create_socket(primary.cluster);
  int here = 0;
  int there = 0;
  const auto send = [&] { client.send("hello", socket.address()->port.value(), "127.0.0.1"); };
  // One datagram at a time, whoever reads it, until both have read one.
  const auto next = [&] {
    if (here == 0 || there == 0) return send();
    socket.close();
    client.close();
    primary.cluster.workers().begin()->second.kill();
  };
  Worker w = primary.cluster.fork(worker("ReadsUdp"));
  w.on_message([&](Message& message) {
    if (message.data == Value("bound")) {
      // The worker stands still, so this one is the primary's.
      w.process().kill(Signal::stop);
      return send();
    }
    ++there;
    next();
  });
  socket.on_message([&](std::string_view, const dgram::RemoteInfo&) {
    if (here++ == 0) w.process().kill(Signal::cont);
    next();
  });
  socket.bind(0, [&] { w.send("take this", socket.to_handle()); });

  primary.run();

  EXPECT_GT(here, 0);
  EXPECT_GT(there, 0);
}

WORKER(ReadsUdp) {
  cluster.process().on_message([&cluster](Message& message) {
    auto socket = dgram::create_socket(cluster);
    socket.on_message([&cluster](std::string_view, const dgram::RemoteInfo&) { cluster.process().send("got"); });
    socket.bind(std::move(message.handle), [&cluster] { cluster.process().send("bound"); });
  });
  return loop.run();
}

TEST(Dgram, SharesAPortInOneProcessThatBothReuse) {
  Primary primary;
  dgram::SocketOptions options;
  options.reuse_port = true;
  auto first = dgram::create_socket(primary.cluster, options);
  auto second = dgram::create_socket(primary.cluster, options);
  bool both = false;
  first.bind(0, [&] {
    second.bind(first.address()->port.value(), [&] {
      both = true;
      first.close();
      second.close();
    });
  });

  primary.run();

  EXPECT_TRUE(both);
}

class UdpAlone : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Each, UdpAlone, testing::Values("exclusive", "reuse_port"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(UdpAlone, HoldsNoWorkerThatIsAskedToLeave) {
  Primary primary;
  Worker w = primary.cluster.fork(worker("UdpAloneInAWorker", {{"ALONE", GetParam()}}));
  w.on_message([&](Message&) { w.disconnect(); });

  primary.run();

  EXPECT_EQ(w.process().exit_status(), ExitStatus::exited(0));
}

WORKER(UdpAloneInAWorker) {
  const bool exclusive = std::getenv("ALONE") == std::string("exclusive");
  auto socket = dgram::create_socket(cluster, {.reuse_port = !exclusive});
  socket.bind({.port = 0, .exclusive = exclusive}, [self = cluster.process()]() mutable { self.send("bound"); });
  return loop.run();
}

}  // namespace
}  // namespace muster::test
