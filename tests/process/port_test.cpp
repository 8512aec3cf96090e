// SPDX-License-Identifier: MIT
// Ports that workers listen on through their primary: which, how, and who gets them.

#include <linux/capability.h>
#include <sys/syscall.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// Does what it is told: {listen: n, port, host, ...} opens its server n, {close: n} closes it. It answers with what came of it.
WORKER(PortServers) {
  auto servers = std::make_shared<std::map<int, net::Server>>();
  Process self = cluster.process();
  self.on_message([&cluster, servers, self](Message& message) mutable {
    const Value& data = message.data;
    if (data["close"].is_number()) {
      const int n = static_cast<int>(data["close"].as_number());
      servers->at(n).close([self, n]() mutable { self.send(Value{{"closed", n}}); });
      return;
    }
    const int n = static_cast<int>(data["listen"].as_number());
    ListenOptions options;
    options.port = static_cast<int>(data["port"].number_or(0));
    options.host = data["host"].string_or("");
    options.ipv6_only = data["ipv6Only"].truthy();
    options.exclusive = data["exclusive"].truthy();
    options.reuse_port = data["reusePort"].truthy();
    options.backlog = static_cast<int>(data["backlog"].number_or(0));
    if (!servers->contains(n)) {
      auto server = net::create_server(cluster, [n](net::Socket socket) {
        socket.on_data([](std::string_view) {});
        socket.end("server " + std::to_string(n));
      });
      server.on_error([self, n](const Error& error) mutable {
        self.send(Value{{"failed", n}, {"code", error_name(error.code)}, {"message", error.message}});
      });
      server.on_listening([self, server, n]() mutable {
        self.send(Value{{"listening", n}, {"port", server.address()->port.value_or(-1)}});
      });
      servers->emplace(n, server);
    }
    servers->at(n).listen(options);
  });
  return loop.run();
}

// Tells what a server says to who connects to it.
void ask(Loop& loop, int port, Function<void(std::string)> done, const std::string& host = "127.0.0.1") {
  auto text = std::make_shared<std::string>();
  auto callback = std::make_shared<Function<void(std::string)>>(std::move(done));
  net::Socket socket = net::connect(loop, port, host);
  socket.on_data([text](std::string_view bytes) { text->append(bytes); });
  socket.on_close([text, callback] { (*callback)(*text); });
}

// The backlog of the listening socket of this process on a port; -1 when there is none.
int backlog_of(int port) {
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in6 address{};
    socklen_t size = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || ntohs(address.sin6_port) != port) continue;
    tcp_info info{};
    size = sizeof info;
    // Of a listening socket: how many connections may wait.
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_LISTEN) {
      return static_cast<int>(info.tcpi_sacked);
    }
  }
  return -1;
}

struct PortPrimary : Primary {
  explicit PortPrimary(SchedulingPolicy policy = SchedulingPolicy::round_robin) {
    cluster.set_scheduling_policy(policy);
    cluster.on_message([this](Worker w, Message& message) { on_answer(w, message.data); });
  }
  Worker fork() { return cluster.fork(worker("PortServers")); }

  Function<void(Worker, const Value&)> on_answer;
};

class Port : public testing::TestWithParam<SchedulingPolicy> {};

INSTANTIATE_TEST_SUITE_P(Workers, Port,
                         testing::Values(SchedulingPolicy::round_robin, SchedulingPolicy::none,
                                         SchedulingPolicy::least_connections, SchedulingPolicy::ip_hash,
                                         SchedulingPolicy::kernel));

TEST_P(Port, TakesTheBacklogThatItsWorkerAskedFor) {
  PortPrimary primary(GetParam());
  int in_primary = -1;
  primary.on_answer = [&](Worker, const Value& answer) {
    in_primary = backlog_of(static_cast<int>(answer["port"].as_number()));
    primary.finish();
  };
  primary.fork().send(Value{{"listen", 1}, {"backlog", 17}});

  primary.run();

  // The socket is one, whoever calls listen(2) on it. Under the kernel's policy, where that works, it is the worker's alone.
  EXPECT_TRUE(in_primary == 17 || (GetParam() == SchedulingPolicy::kernel && in_primary == -1)) << in_primary;
}

TEST_P(Port, OfNoHostIsReachedByIpv4AndIpv6) {
  PortPrimary primary(GetParam());
  std::set<double> ports;
  int listening = 0;
  std::vector<std::string> said;
  primary.on_answer = [&](Worker, const Value& answer) {
    ports.insert(answer["port"].as_number());
    if (++listening < 3) return;
    for (const char* host : {"127.0.0.1", "::1"}) {
      ask(
          primary.loop, static_cast<int>(*ports.begin()),
          [&](const std::string& text) {
            said.push_back(text);
            if (said.size() == 2) primary.finish();
          },
          host);
    }
  };
  for (int i = 0; i < 3; ++i) primary.fork().send(Value{{"listen", 1}, {"host", "::"}});

  primary.run();

  EXPECT_EQ(ports.size(), 1U);
  EXPECT_EQ(said, (std::vector<std::string>{"server 1", "server 1"}));
}

TEST_P(Port, OfIpv6OnlyIsFreeForIpv4) {
  PortPrimary primary(GetParam());
  std::vector<Address> addresses;
  primary.cluster.on_listening([&](Worker, const Address& address) { addresses.push_back(address); });
  auto other = net::create_server(primary.cluster, [](net::Socket) {});
  Value port;
  int listening = 0;
  std::string refused;
  bool free = false;
  other.on_error([&](const Error& error) {
    refused = error.message;
    primary.finish();
  });
  primary.on_answer = [&](Worker, const Value& answer) {
    port = answer["port"];
    if (++listening < 3) return;
    ListenOptions options;
    options.host = "0.0.0.0";
    options.port = static_cast<int>(port.as_number());
    other.listen(options, [&] {
      free = true;
      other.close();
      primary.finish();
    });
  };
  const int named = free_port();
  for (int i = 0; i < 3; ++i) {
    primary.fork().send(Value{{"listen", 1}, {"port", named}, {"host", "::"}, {"ipv6Only", true}});
  }

  primary.run();

  EXPECT_TRUE(free) << refused;
  ASSERT_EQ(addresses.size(), 3U);
  for (const Address& address : addresses) {
    EXPECT_EQ(address, (Address{AddressType::tcp6, "::", static_cast<int>(port.as_number())}));
  }
}

// One worker, one port, two servers: the second is refused. When the port is free, others may have it, and the first too.
TEST_P(Port, IsRefusedToASecondServerOfAWorkerAndFreeWhenTheFirstHasClosed) {
  PortPrimary primary(GetParam());
  Worker first = primary.fork();
  Worker second = primary.fork();
  double port = 0;
  std::vector<std::string> story;
  std::vector<std::string> said;
  const bool deals = GetParam() != SchedulingPolicy::none && GetParam() != SchedulingPolicy::ip_hash;
  const auto listen = [&](Worker w, int n) { w.send(Value{{"listen", n}, {"port", port}, {"host", "127.0.0.1"}}); };
  // Eight at a time, until both have answered where both are dealt to: the kernel takes a moment to see a worker that is new.
  Function<void()> ask_again = [&] {
    for (int i = 0; i < 8; ++i) {
      ask(primary.loop, static_cast<int>(port), [&](const std::string& text) {
        said.push_back(text);
        if (said.size() % 8 != 0) return;
        if (deals && std::set<std::string>(said.begin(), said.end()).size() < 2) return ask_again();
        primary.finish();
      });
    }
  };
  primary.on_answer = [&](Worker w, const Value& answer) {
    std::string line = std::to_string(w.id());
    for (const char* what : {"listening", "failed", "closed"}) {
      if (answer[what].is_number()) {
        line += " " + std::string(what) + " " + std::to_string(static_cast<int>(answer[what].as_number()));
      }
    }
    if (answer["code"].is_string()) line += " " + answer["code"].as_string();
    story.push_back(line);
    switch (story.size()) {
      case 1: return listen(first, 2);  // refused below
      case 2: first.send(Value{{"close", 1}}); return;
      case 3: return listen(second, 1);
      case 4: return listen(first, 2);
      case 5: return ask_again();
      default: ADD_FAILURE() << line;
    }
  };
  port = free_port();
  listen(first, 1);

  primary.run();

  EXPECT_EQ(story, (std::vector<std::string>{"1 listening 1", "1 failed 2 EADDRINUSE", "1 closed 1", "2 listening 1",
                                             "1 listening 2"}));
  EXPECT_FALSE(primary.gave_up);
  EXPECT_GE(said.size(), 8U);
  for (const std::string& text : said) EXPECT_TRUE(text == "server 1" || text == "server 2") << text;
}

TEST_P(Port, IsRefusedToAnExclusiveServerWhereAnotherWorkerHasIt) {
  PortPrimary primary(GetParam());
  Worker first = primary.fork();
  Worker second = primary.fork();
  Value answered;
  std::string port;
  primary.on_answer = [&](Worker w, const Value& answer) {
    if (w == first) {
      port = std::to_string(static_cast<int>(answer["port"].as_number()));
      second.send(Value{{"listen", 1}, {"port", answer["port"]}, {"host", "127.0.0.1"}, {"exclusive", true}});
    } else {
      answered = answer;
      primary.finish();
    }
  };
  first.send(Value{{"listen", 1}, {"host", "127.0.0.1"}});

  primary.run();

  EXPECT_EQ(answered["code"], Value("EADDRINUSE"));
  EXPECT_EQ(answered["message"], Value("listen EADDRINUSE: address already in use 127.0.0.1:" + port));
}

TEST(Port, IsReusedByAPrimaryAndItsWorkersThatAllAskForThat) {
  PortPrimary primary;
  int listening = 0;
  auto server = net::create_server(primary.cluster, [](net::Socket) {});
  primary.on_answer = [&](Worker, const Value& answer) {
    EXPECT_EQ(answer["listening"], Value(1)) << answer["message"].string_or("");
    if (++listening < 2) return;
    server.close();
    primary.finish();
  };
  ListenOptions options;
  options.host = "127.0.0.1";
  options.reuse_port = true;
  server.listen(options, [&] {
    for (int i = 0; i < 2; ++i) {
      primary.fork().send(
          Value{{"listen", 1}, {"host", "127.0.0.1"}, {"port", server.address()->port.value()}, {"reusePort", true}});
    }
  });

  primary.run();

  EXPECT_EQ(listening, 2);
}

// Eight workers with two servers each on any port: two ports. Then all of it again, in the same primary.
TEST_P(Port, OfAnyNumberIsTheSameForAllWorkersEveryTime) {
  constexpr int workers = 8;
  constexpr int rounds = 2;
  PortPrimary primary(GetParam());
  int round = 0;
  int listening = 0;
  int exited = 0;
  std::map<int, std::set<double>> ports;  // by server
  std::multiset<std::string> said;
  const auto start = [&] {
    ++round;
    listening = 0;
    ports.clear();
    for (int i = 0; i < workers; ++i) {
      Worker w = primary.fork();
      for (int n : {1, 2}) w.send(Value{{"listen", n}, {"host", "127.0.0.1"}});
    }
  };
  primary.cluster.on_exit([&](Worker, ExitStatus status) {
    ++exited;
    EXPECT_EQ(status, ExitStatus::exited(0));
  });
  primary.on_answer = [&](Worker, const Value& answer) {
    ports[static_cast<int>(answer["listening"].as_number())].insert(answer["port"].as_number());
    if (++listening < 2 * workers) return;
    for (int n : {1, 2}) {
      ASSERT_EQ(ports[n].size(), 1U);
      ask(primary.loop, static_cast<int>(*ports[n].begin()), [&](const std::string& text) {
        said.insert(text);
        if (said.size() % 2 != 0) return;
        primary.cluster.disconnect([&] {
          if (round < rounds) start();
        });
      });
    }
    EXPECT_NE(ports[1], ports[2]);
  };
  start();

  primary.run();

  EXPECT_EQ(round, rounds);
  EXPECT_EQ(exited, rounds * workers);
  EXPECT_EQ(said, (std::multiset<std::string>{"server 1", "server 1", "server 2", "server 2"}));
}

// --- closed at once -----------------------------------------------------------------------------------

TEST_P(Port, IsGivenBackByAServerThatClosedBeforeItListened) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  const std::size_t before = open_descriptors(getpid());
  std::optional<std::size_t> after;
  Value told;
  Worker w = primary.cluster.fork(worker("ListensAndCloses"));
  primary.cluster.on_listening([&](Worker, const Address&) { ADD_FAILURE() << "it never listened"; });
  std::size_t with_worker = 0;
  // Its load board is still on its way.
  w.on_online([&] { with_worker = open_descriptors(getpid()) - 1; });
  w.on_message([&](Message& message) {
    told = message.data;
    after = open_descriptors(getpid());
    w.disconnect();
  });
  std::optional<ExitStatus> status;
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(told, Value("closed and nothing else"));
  EXPECT_EQ(after, with_worker) << "the primary listens on, " << before;
  EXPECT_EQ(status, ExitStatus::exited(0));
}

WORKER(ListensAndCloses) {
  auto heard = std::make_shared<std::string>();
  auto server = net::create_server(cluster, [](net::Socket) {});
  server.on_error([heard](const Error& error) { *heard += error.message; });
  server.listen(0, [heard] { *heard += "listening"; });
  server.close([&cluster, heard]() mutable {
    // What is to come of the late answer comes before the answer to this server, which is sent after that.
    auto second = net::create_server(cluster, [](net::Socket) {});
    ListenOptions options;
    options.host = "192.0.2.1";  // nobody has this address
    second.on_error([&cluster, heard](const Error&) {
      cluster.process().send("closed and " + (heard->empty() ? "nothing else" : *heard));
    });
    second.listen(options);
  });
  return loop.run();
}

// --- ports below 1024 ---------------------------------------------------------------------------------

// What lets root bind them, taken from this process: the primary binds.
void give_up_privileged_ports() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  ASSERT_EQ(syscall(SYS_capget, &header, data), 0);
  for (auto* set : {&data[0].effective, &data[0].permitted, &data[0].inheritable}) *set &= ~(1U << CAP_NET_BIND_SERVICE);
  ASSERT_EQ(syscall(SYS_capset, &header, data), 0);
}

TEST_P(Port, ThatIsPrivilegedIsRefusedWithEacces) {
  int first_free = 1024;
  std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first_free;
  if (first_free <= 42) GTEST_SKIP() << "on this machine everybody may listen on port 42";
  give_up_privileged_ports();
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  Value told;
  std::optional<ExitStatus> status;
  Worker w = primary.cluster.fork(worker("PortServers"));
  primary.cluster.on_listening([&](Worker, const Address&) { ADD_FAILURE(); });
  w.send(Value{{"listen", 1}, {"port", 42}, {"host", "0.0.0.0"}});
  w.on_message([&](Message& message) {
    told = message.data;
    w.disconnect();
  });
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(told["code"], Value("EACCES"));
  EXPECT_EQ(told["message"], Value("bind EACCES 0.0.0.0:42"));
  EXPECT_EQ(status, ExitStatus::exited(0));
}

// --- a worker that is killed --------------------------------------------------------------------------

TEST_P(Port, OfAWorkerThatIsKilledIsClosedForWhoIsConnected) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  bool closed = false;
  std::optional<ExitStatus> status;
  net::Socket client;
  Worker w = primary.cluster.fork(worker("Greets"));
  w.on_listening([&](const Address& address) {
    client = net::connect(primary.loop, address.port.value());
    client.on_data([&](std::string_view) { w.process().kill(Signal::kill); });
    client.on_close([&] { closed = true; });
  });
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_TRUE(closed);
  EXPECT_EQ(status, ExitStatus::killed(Signal::kill));
}

WORKER(Greets) {
  auto server = net::create_server(cluster, [](net::Socket socket) {
    socket.write("hello");
    socket.on_data([](std::string_view) {});
  });
  server.listen(0);
  return loop.run();
}

}  // namespace
}  // namespace muster::test
