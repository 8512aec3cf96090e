// SPDX-License-Identifier: MIT
// Who gets a connection, under each policy, with real processes.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// Says who it is, and keeps the connection until its client ends it.
WORKER(SaysWho) {
  const std::string name = std::to_string(cluster.worker()->id());
  auto server = net::create_server(cluster, [&](net::Socket socket) {
    socket.on_data([](std::string_view) {});
    socket.on_close([&] { cluster.process().send("closed one"); });
    socket.write(name + ";");
  });
  ListenOptions options;
  options.host = "127.0.0.1";
  server.listen(options);
  cluster.process().on_message([](Message&) { raise(SIGSTOP); });
  return loop.run();
}

// Listens where it is told, and tells what came of it.
WORKER(ListensThere) {
  auto server = net::create_server(cluster, [](const net::Socket&) {});
  server.on_error([&](const Error& error) { cluster.process().send(error.message); });
  server.on_listening([&] { cluster.process().send("listens"); });
  ListenOptions options;
  options.host = "127.0.0.1";
  options.port = static_cast<std::uint16_t>(std::stoi(std::getenv("TESTS_PORT")));
  server.listen(options);
  return loop.run();
}

// A primary whose workers listen, and clients that find out who serves them.
struct Scheduling : Primary {
  Scheduling(int workers, Function<void()> ready) : ready_(std::move(ready)) {
    cluster.on_listening([this, workers](Worker, const Address& address) {
      port = address.port.value();
      if (++listening_ == workers) ready_();
    });
  }
  void fork(int workers) {
    for (int i = 0; i < workers; ++i) forked.push_back(cluster.fork(worker("SaysWho")));
  }

  // Connects from this address; tells who answered.
  void ask(Function<void(int, net::Socket)> answered, const char* from = "127.0.0.1") {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, from, &address.sin_addr);
    ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    net::Socket client = net::from_handle(loop, Handle(HandleType::socket, fd));
    auto text = std::make_shared<std::string>();
    auto callback = std::make_shared<Function<void(int, net::Socket)>>(std::move(answered));
    client.on_data([text, callback, client](std::string_view bytes) {
      text->append(bytes);
      if (text->ends_with(';')) (*callback)(std::stoi(*text), client);
    });
  }
  // One after the other, each closed before the next; who answered each.
  void ask_in_turn(std::vector<const char*> from, Function<void(std::vector<int>)> done, std::vector<int> so_far = {}) {
    if (so_far.size() == from.size()) return done(std::move(so_far));
    const char* next = from[so_far.size()];
    ask(
        [this, from = std::move(from), done = std::move(done), so_far = std::move(so_far)](int who,
                                                                                           net::Socket client) mutable {
          so_far.push_back(who);
          client.on_close([this, from = std::move(from), done = std::move(done), so_far = std::move(so_far)]() mutable {
            ask_in_turn(std::move(from), std::move(done), std::move(so_far));
          });
          client.end();
        },
        next);
  }
  void finish() { cluster.disconnect(); }

  std::vector<Worker> forked;
  int port = 0;

 private:
  Function<void()> ready_;
  int listening_ = 0;
};

constexpr std::array addresses{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4",
                               "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8"};

TEST(Scheduling, GivesLeastConnectionsToTheWorkerWithTheFewestOpen) {
  std::vector<net::Socket> kept;
  std::map<int, int> served;
  Scheduling* self = nullptr;
  Scheduling primary(2, [&] {
    // Four connections stay open, two on each; then those of the first end, and four more come: all are its.
    for (int i = 0; i < 4; ++i) {
      self->ask([&](int who, net::Socket client) {
        ++served[who];
        kept.push_back(client);
        if (kept.size() != 4) return;
        EXPECT_EQ(served, (std::map<int, int>{{1, 2}, {2, 2}}));
        self->finish();
        for (net::Socket& one : kept) one.end();
      });
    }
  });
  self = &primary;
  primary.cluster.set_scheduling_policy(SchedulingPolicy::least_connections);
  primary.fork(2);

  primary.run();

  EXPECT_EQ(kept.size(), 4U);
}

TEST(Scheduling, FillsUpTheWorkerWhoseConnectionsHaveEnded) {
  std::map<int, std::vector<net::Socket>> kept;
  std::vector<int> later;
  Scheduling* self = nullptr;
  Function<void()> ask_later = [&] {
    self->ask([&](int who, net::Socket client) {
      later.push_back(who);
      kept[who].push_back(client);
      if (later.size() < 3) return ask_later();
      self->finish();
      for (auto& [id, clients] : kept) {
        for (net::Socket& one : clients) one.end();
      }
    });
  };
  Scheduling primary(2, [&] {
    for (int i = 0; i < 6; ++i) {
      self->ask([&](int who, net::Socket client) {
        kept[who].push_back(client);
        if (kept[1].size() != 3 || kept[2].size() != 3) return;
        for (net::Socket& one : std::exchange(kept[2], {})) one.end();
      });
    }
  });
  int closed = 0;
  primary.cluster.on_message([&](Worker, Message&) {
    if (++closed == 3) ask_later();
  });
  self = &primary;
  primary.cluster.set_scheduling_policy(SchedulingPolicy::least_connections);
  primary.fork(2);

  primary.run();

  EXPECT_EQ(later, std::vector<int>(3, 2));
}

TEST(Scheduling, SendsOneAddressToOneWorker) {
  std::vector<int> first, again, without;
  Scheduling* self = nullptr;
  const std::vector<const char*> from(addresses.begin(), addresses.end());
  Scheduling primary(3, [&] {
    self->ask_in_turn(from, [&](std::vector<int> served) {
      first = std::move(served);
      self->ask_in_turn(from, [&](std::vector<int> served) {
        again = std::move(served);
        self->forked[1].on_exit([&](ExitStatus) {
          self->ask_in_turn(from, [&](std::vector<int> served) {
            without = std::move(served);
            self->finish();
          });
        });
        self->forked[1].process().kill(Signal::kill);
      });
    });
  });
  self = &primary;
  primary.cluster.set_scheduling_policy(SchedulingPolicy::ip_hash);
  primary.fork(3);

  primary.run();

  ASSERT_EQ(without.size(), addresses.size());
  EXPECT_EQ(again, first);
  EXPECT_GT(std::set<int>(first.begin(), first.end()).size(), 1U);
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_NE(without[i], 2);
    EXPECT_TRUE(without[i] == first[i] || first[i] == 2) << addresses[i];
  }
}

TEST(Scheduling, AsksAFunctionOfTheProgram) {
  std::vector<int> served;
  std::vector<std::string> asked;
  Scheduling* self = nullptr;
  Scheduling primary(3, [&] {
    self->ask_in_turn({"127.0.0.1", "127.0.0.2", "127.0.0.3"}, [&](std::vector<int> who) {
      served = std::move(who);
      self->finish();
    });
  });
  self = &primary;
  primary.cluster.set_scheduling_policy(
      [&](const IncomingConnection& connection, const std::vector<Worker>& workers) -> std::optional<Worker> {
        asked.push_back(connection.remote_address.value().address.value());
        EXPECT_EQ(connection.local_address.value().port, self->port);
        EXPECT_EQ(workers.size(), 3U);
        for (const Worker& one : workers) {
          if (asked.back() == "127.0.0." + std::to_string(one.id())) return one;
        }
        return std::nullopt;
      });
  primary.fork(3);

  primary.run();

  EXPECT_EQ(primary.cluster.scheduling_policy(), SchedulingPolicy::custom);
  EXPECT_EQ(asked, (std::vector<std::string>{"127.0.0.1", "127.0.0.2", "127.0.0.3"}));
  EXPECT_EQ(served, (std::vector<int>{1, 2, 3}));
}

TEST(Scheduling, ServesTheConnectionOfAFunctionThatThrows) {
  std::vector<int> served;
  int uncaught = 0;
  Scheduling* self = nullptr;
  Scheduling primary(1, [&] {
    self->ask_in_turn({"127.0.0.1"}, [&](std::vector<int> who) {
      served = std::move(who);
      self->finish();
    });
  });
  self = &primary;
  primary.loop.on_uncaught_exception([&](std::exception_ptr) { ++uncaught; });
  primary.cluster.set_scheduling_policy([](const IncomingConnection&, const std::vector<Worker>&) -> std::optional<Worker> {
    throw std::runtime_error("cannot choose");
  });
  primary.fork(1);

  primary.run();

  EXPECT_EQ(uncaught, 1);
  EXPECT_EQ(served, std::vector<int>{1});
}

TEST(Scheduling, NeedsAFunctionToBeCustom) {
  Primary primary;

  EXPECT_THROW(primary.cluster.set_scheduling_policy(SchedulingPolicy::custom), Exception);
  EXPECT_THROW(primary.cluster.set_scheduling_policy(ChooseWorker()), Exception);
}

class StandingStill : public testing::TestWithParam<SchedulingPolicy> {};

// What a stopped worker was offered is taken back, and nobody is offered more than it can claim.
TEST_P(StandingStill, CostsNoConnection) {
  constexpr int connections = 60;
  int served = 0;
  std::vector<net::Socket> kept;
  Scheduling* self = nullptr;
  Scheduling primary(3, [&] {
    self->forked[0].process().kill(*Signal::from_name("SIGSTOP"));
    for (int i = 0; i < connections; ++i) {
      self->ask([&](int who, net::Socket client) {
        EXPECT_NE(who, 1);
        kept.push_back(client);
        if (++served < connections) return;
        self->forked[0].process().kill(Signal::kill);
        self->finish();
        for (net::Socket& one : kept) one.end();
      });
    }
  });
  self = &primary;
  primary.cluster.set_scheduling_policy(GetParam());
  primary.fork(3);

  primary.run();

  EXPECT_EQ(served, connections);
}

INSTANTIATE_TEST_SUITE_P(Scheduling, StandingStill,
                         testing::Values(SchedulingPolicy::round_robin, SchedulingPolicy::least_connections));

class Killed : public testing::TestWithParam<SchedulingPolicy> {};

// A worker that dies with offers it has not claimed loses none of them.
TEST_P(Killed, LosesNoConnectionThatItHadNotClaimed) {
  constexpr int connections = 30;
  int served = 0;
  std::vector<net::Socket> kept;
  Scheduling* self = nullptr;
  Scheduling primary(2, [&] {
    self->forked[0].process().kill(*Signal::from_name("SIGSTOP"));
    for (int i = 0; i < connections; ++i) {
      self->ask([&](int who, net::Socket client) {
        EXPECT_EQ(who, 2);
        kept.push_back(client);
        if (++served < connections) return;
        self->finish();
        for (net::Socket& one : kept) one.end();
      });
    }
    self->forked[0].process().kill(Signal::kill);
  });
  self = &primary;
  primary.cluster.set_scheduling_policy(GetParam());
  primary.fork(2);

  primary.run();

  EXPECT_EQ(served, connections);
}

INSTANTIATE_TEST_SUITE_P(Scheduling, Killed,
                         testing::Values(SchedulingPolicy::round_robin, SchedulingPolicy::least_connections,
                                         SchedulingPolicy::ip_hash, SchedulingPolicy::kernel));

// In the kernel, or where this machine may not, by round robin in its place: every worker gets its share, and the primary
// has no connection.
TEST(Scheduling, DealsInTheKernelToEveryWorker) {
  std::map<int, int> served;
  Scheduling* self = nullptr;
  // The kernel sees a new socket some milliseconds late; until then the others get all.
  const auto enough = [&] {
    return served.size() == 3 && std::all_of(served.begin(), served.end(), [](const auto& entry) { return entry.second >= 4; });
  };
  Function<void()> next = [&] {
    self->ask([&](int who, net::Socket client) {
      ++served[who];
      client.on_close([&] { enough() ? self->finish() : next(); });
      client.end();
    });
  };
  Scheduling primary(3, [&] { next(); });
  self = &primary;
  primary.cluster.set_scheduling_policy(SchedulingPolicy::kernel);
  primary.fork(3);

  primary.run();

  EXPECT_TRUE(enough());
}

// Another cluster of the same user has the port: that is said, not shared.
TEST(Scheduling, RefusesAPortThatAnotherClusterHasUnderTheKernelsPolicy) {
  std::string told;
  std::optional<Cluster> second;
  Scheduling* self = nullptr;
  Scheduling primary(1, [&] {
    second.emplace(self->loop, 0, nullptr);
    second->set_scheduling_policy(SchedulingPolicy::kernel);
    second->setup_primary(self->cluster.settings());
    Worker other = second->fork(worker("ListensThere", {{"TESTS_PORT", std::to_string(self->port)}}));
    other.on_message([&](Message& message) {
      told = message.data.string_or("");
      second->disconnect();
      self->finish();
    });
  });
  self = &primary;
  primary.cluster.set_scheduling_policy(SchedulingPolicy::kernel);
  primary.fork(1);

  primary.run();

  EXPECT_EQ(told, "bind EADDRINUSE 127.0.0.1:" + std::to_string(primary.port));
}

}  // namespace
}  // namespace muster::test
