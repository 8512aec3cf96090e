// SPDX-License-Identifier: MIT
// Servers that workers share.

#include <sys/resource.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// Answers with its pid on what TESTS_LISTEN says: a port, "host:port" or a path; tells errors to its primary.
WORKER(PidServer) {
  const std::string where = std::getenv("TESTS_LISTEN");
  ListenOptions options;
  if (where[0] == '/' || where.ends_with(".sock")) {
    options.path = where;
  } else {
    const std::size_t colon = where.rfind(':');
    if (colon != std::string::npos) options.host = where.substr(0, colon);
    options.port = std::stoi(where.substr(colon == std::string::npos ? 0 : colon + 1));
  }
  options.exclusive = std::getenv("TESTS_EXCLUSIVE") != nullptr;
  auto server = net::create_server(cluster, [pid = cluster.process().pid()](net::Socket socket) {
    socket.on_data([](std::string_view) {});
    socket.end(std::to_string(pid));
  });
  server.on_error([self = cluster.process()](const Error& error) mutable {
    self.send(Value{{"code", error_name(error.code)}, {"message", error.message}});
  });
  cluster.process().on_message([server](Message& message) mutable {
    if (message.data == Value("listen again")) server.close([server]() mutable { server.listen(0); });
  });
  server.listen(options, [&] {
    if (options.exclusive) cluster.process().send(Value{{"port", server.address()->port.value()}});
  });
  return loop.run();
}

Env listen_on(const std::string& where) { return worker("PidServer", {{"TESTS_LISTEN", where}}); }

// Connects and tells what the server wrote until it closed.
void ask(Loop& loop, int port, Function<void(std::string)> done) {
  auto text = std::make_shared<std::string>();
  auto callback = std::make_shared<Function<void(std::string)>>(std::move(done));
  net::Socket socket = net::connect(loop, port);
  socket.on_data([text](std::string_view bytes) { text->append(bytes); });
  socket.on_close([text, callback] { (*callback)(*text); });
}

TEST(Server, SharesOneRandomPortAmongWorkersThatAskForAny) {
  Primary primary;
  std::set<int> ports;
  int listening = 0;
  primary.cluster.on_listening([&](Worker, const Address& address) {
    EXPECT_EQ(address.type, AddressType::tcp4);
    ports.insert(address.port.value());
    if (++listening == 3) primary.finish();
  });
  for (int i = 0; i < 3; ++i) primary.cluster.fork(listen_on("0"));

  primary.run();

  EXPECT_EQ(listening, 3);
  EXPECT_EQ(ports.size(), 1U);
  EXPECT_GT(*ports.begin(), 0);
}

TEST(Server, GivesAnotherPortToTheNextListenOfAWorker) {
  Primary primary;
  std::set<int> ports;
  int listening = 0;
  primary.cluster.on_listening([&](Worker, const Address& address) {
    ports.insert(address.port.value());
    if (++listening == 4) primary.finish();
  });
  for (int i = 0; i < 2; ++i) primary.cluster.fork(worker("TwoServers"));

  primary.run();

  EXPECT_EQ(ports.size(), 2U);
}

WORKER(TwoServers) {
  auto first = net::create_server(cluster, [](net::Socket) {});
  auto second = net::create_server(cluster, [](net::Socket) {});
  first.listen(0);
  second.listen(0);
  return loop.run();
}

// How connections are dealt, and how messages are written.
struct Mode {
  SchedulingPolicy policy;
  Serialization serialization;
};
const auto modes = testing::Values(
    Mode{SchedulingPolicy::round_robin, Serialization::json}, Mode{SchedulingPolicy::none, Serialization::json},
    Mode{SchedulingPolicy::round_robin, Serialization::advanced}, Mode{SchedulingPolicy::none, Serialization::advanced});

class ListenError : public testing::TestWithParam<Mode> {};

TEST_P(ListenError, ReachesEachWorkerWhenThePortIsTaken) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam().policy);
  primary.cluster.setup_primary(speaking(GetParam().serialization));
  auto blocker = net::create_server(primary.cluster, [](net::Socket) {});
  std::vector<std::string> messages;
  primary.cluster.on_message([&](Worker w, Message& message) {
    EXPECT_EQ(message.data["code"], Value("EADDRINUSE"));
    messages.push_back(message.data["message"].as_string());
    w.disconnect();
    if (messages.size() == 2) blocker.close();
  });
  int port = 0;
  ListenOptions options;
  options.host = "127.0.0.1";
  blocker.listen(options, [&] {
    port = blocker.address()->port.value();
    for (int i = 0; i < 2; ++i) primary.cluster.fork(listen_on("127.0.0.1:" + std::to_string(port)));
  });

  primary.run();

  const std::string expected = "bind EADDRINUSE 127.0.0.1:" + std::to_string(port);
  EXPECT_EQ(messages, (std::vector{expected, expected}));
}

TEST_P(ListenError, ReachesTheWorkerWhenThereIsNoSuchAddress) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam().policy);
  primary.cluster.setup_primary(speaking(GetParam().serialization));
  std::string code;
  primary.cluster.on_message([&](Worker w, Message& message) {
    code = message.data["code"].as_string();
    w.disconnect();
  });
  primary.cluster.fork(listen_on("192.0.2.1:0"));

  primary.run();

  EXPECT_EQ(code, "EADDRNOTAVAIL");
}

INSTANTIATE_TEST_SUITE_P(Server, ListenError, modes);

class Policy : public testing::TestWithParam<Mode> {};

TEST_P(Policy, ServesEveryConnectionWhileWorkersComeAndGo) {
  Primary primary;
  auto& cluster = primary.cluster;
  cluster.set_scheduling_policy(GetParam().policy);
  cluster.setup_primary(speaking(GetParam().serialization));
  const int port = free_port();
  int answered = 0;
  int refused = 0;
  bool started = false;
  auto next = std::make_shared<Function<void()>>();
  *next = [&, next] {
    ask(primary.loop, port, [&, next](const std::string& text) {
      if (text.empty()) {
        ++refused;
      } else {
        ++answered;
      }
      // Replaces one of the workers now and then, the old one leaving only when the new one listens.
      if (answered % 20 == 0) {
        Worker old = cluster.workers().begin()->second;
        cluster.fork(listen_on("127.0.0.1:" + std::to_string(port))).on_listening([old](const Address&) mutable {
          old.disconnect();
        });
      }
      if (answered < 100) return (*next)();
      primary.finish();
      *next = {};
    });
  };
  cluster.on_listening([&](Worker, const Address&) {
    if (cluster.workers().size() == 2 && !std::exchange(started, true)) (*next)();
  });
  for (int i = 0; i < 2; ++i) cluster.fork(listen_on("127.0.0.1:" + std::to_string(port)));

  primary.run();

  EXPECT_EQ(answered, 100);
  EXPECT_EQ(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Server, Policy, modes);

TEST(Server, ListensOnAPathThatGoesWhenTheLastWorkerDoes) {
  Primary primary;
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/server.sock";
  std::string answer;
  primary.cluster.on_listening([&](Worker, const Address& address) {
    EXPECT_EQ(address.type, AddressType::pipe);
    EXPECT_EQ(address.address, path);
    net::Socket socket = net::connect(primary.loop, path);
    socket.on_data([&](std::string_view bytes) { answer += bytes; });
    socket.on_close([&] { primary.finish(); });
  });
  Worker w = primary.cluster.fork(listen_on(path));

  primary.run();

  EXPECT_EQ(answer, std::to_string(w.process().pid()));
  EXPECT_NE(access(path.c_str(), F_OK), 0) << "the socket file is left";
}

TEST(Server, SaysThatAPathIsTakenEvenByAStaleSocket) {
  Primary primary;
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/server.sock";
  // Bound and closed: nobody listens, but the file is there. Node leaves it to its user to remove it.
  const int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(stale);
  Value told;
  Worker w = primary.cluster.fork(listen_on(path));
  w.on_message([&](Message& message) {
    told = message.data;
    primary.finish();
  });

  primary.run();

  EXPECT_EQ(told["code"], Value("EADDRINUSE"));
  EXPECT_EQ(told["message"], Value("bind EADDRINUSE " + path));
  EXPECT_EQ(access(path.c_str(), F_OK), 0) << "the file is not ours to remove";
}

TEST(Server, ListensOnAPathThatIsTooLongForTheSystemButNotFromHere) {
  Primary primary;
  const TemporaryFolder folder;
  const std::string deep = folder.path() + "/" + std::string(60, 'd') + "/" + std::string(60, 'e');
  std::filesystem::create_directories(deep);
  std::filesystem::current_path(deep);
  const std::string path = deep + "/server.sock";
  std::string answer;
  primary.cluster.on_listening([&](Worker, const Address& address) {
    EXPECT_EQ(address.address, path);
    net::Socket client = net::connect(primary.loop, path);
    client.on_data([&](std::string_view bytes) { answer += bytes; });
    client.on_close([&] { primary.finish(); });
  });
  Worker w = primary.cluster.fork(listen_on("server.sock"));

  primary.run();

  EXPECT_EQ(answer, std::to_string(w.process().pid()));
  EXPECT_NE(access(path.c_str(), F_OK), 0) << "the socket file is left";
}

TEST(Server, SaysThatAPathIsTooLong) {
  Primary primary;
  Value told;
  const TemporaryFolder folder;
  Worker w = primary.cluster.fork(listen_on(folder.path() + "/" + std::string(200, 'x')));
  w.on_message([&](Message& message) {
    told = message.data;
    primary.finish();
  });

  primary.run();

  EXPECT_EQ(told["code"], Value("EINVAL"));
}

// Listens on the primary's descriptor, whose number says nothing here.
WORKER(FdServer) {
  ListenOptions options;
  options.fd = std::stoi(std::getenv("TESTS_FD"));
  auto server = net::create_server(cluster, [pid = cluster.process().pid()](net::Socket socket) {
    socket.on_data([](std::string_view) {});
    socket.end(std::to_string(pid));
  });
  server.on_error([self = cluster.process()](const Error& error) mutable { self.send(error_name(error.code)); });
  server.listen(options);
  return loop.run();
}

TEST_P(Policy, ListensOnADescriptorOfThePrimary) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam().policy);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  std::string answer;
  primary.cluster.setup_primary({.may_listen = {{{.fd = fd}}}});
  Worker w = primary.cluster.fork(worker("FdServer", {{"TESTS_FD", std::to_string(fd)}}));
  w.on_listening([&](const Address& listening) {
    EXPECT_EQ(listening.address, std::nullopt);
    ask(primary.loop, ntohs(address.sin_port), [&](const std::string& text) {
      answer = text;
      primary.finish();
    });
  });

  primary.run();
  close(fd);

  EXPECT_EQ(answer, std::to_string(w.process().pid()));
}

TEST_P(Policy, RefusesADescriptorThatIsNoSocket) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam().policy);
  const TemporaryFolder folder;
  const int file = open(folder.path().c_str(), O_RDONLY | O_CLOEXEC);
  std::vector<Value> told;
  primary.cluster.setup_primary({.may_listen = {{{.fd = file}, {.fd = 900}}}});
  for (const int fd : {file, 900}) primary.cluster.fork(worker("FdServer", {{"TESTS_FD", std::to_string(fd)}}));
  primary.cluster.on_message([&](Worker, Message& message) {
    told.push_back(message.data);
    if (told.size() == 2) primary.finish();
  });

  primary.run();
  close(file);

  EXPECT_EQ(told, (std::vector<Value>{"EINVAL", "EINVAL"}));
}

TEST(Server, ListensAgainAfterItWasClosed) {
  Primary primary;
  int listened = 0;
  Worker w = primary.cluster.fork(listen_on("0"));
  w.on_listening([&](const Address&) {
    if (++listened == 2) return primary.finish();
    w.send("listen again");
  });
  w.on_exit([&](ExitStatus status) { EXPECT_EQ(status, ExitStatus::exited(0)); });

  primary.run();

  EXPECT_EQ(listened, 2);
}

TEST(Server, KeepsToItselfWhatItListensOnExclusively) {
  Primary primary;
  std::set<int> ports;
  primary.cluster.on_listening([&](Worker, const Address&) { ADD_FAILURE() << "the primary was told"; });
  primary.cluster.on_message([&](Worker, Message& message) {
    ports.insert(static_cast<int>(message.data["port"].as_number()));
    if (ports.size() == 2) primary.finish();
  });
  for (int i = 0; i < 2; ++i) {
    primary.cluster.fork(worker("PidServer", {{"TESTS_LISTEN", "0"}, {"TESTS_EXCLUSIVE", "1"}}));
  }

  primary.run();

  EXPECT_EQ(ports.size(), 2U);
}

TEST(Server, OfEachWorkerListensOnItsOwnWhenThePortIsReused) {
  Primary primary;
  const int port = free_port();
  int listening = 0;
  primary.cluster.on_listening([&](Worker, const Address&) { ADD_FAILURE() << "the primary was told"; });
  primary.cluster.on_message([&](Worker, Message& message) {
    EXPECT_EQ(message.data, Value("listening"));
    if (++listening == 2) primary.finish();
  });
  for (int i = 0; i < 2; ++i) primary.cluster.fork(worker("ReusePort", {{"TESTS_LISTEN", std::to_string(port)}}));

  primary.run();

  EXPECT_EQ(listening, 2);
}

WORKER(ReusePort) {
  auto server = net::create_server(cluster, [](net::Socket) {});
  server.on_error([self = cluster.process()](const Error& error) mutable { self.send(error.message); });
  ListenOptions options;
  options.host = "127.0.0.1";
  options.port = std::stoi(std::getenv("TESTS_LISTEN"));
  options.reuse_port = true;
  server.listen(options, [self = cluster.process()]() mutable { self.send("listening"); });
  return loop.run();
}

// Node loses this connection: its client waits for ever.
TEST(Server, DealsTheConnectionOfAWorkerThatDiedToAnother) {
  Primary primary;
  std::string answer;
  int port = 0;
  Worker stopped = primary.cluster.fork(listen_on("0"));
  std::optional<Worker> second;
  stopped.on_listening([&](const Address& address) {
    port = address.port.value();
    stopped.process().kill(Signal::stop);
    // It is the only worker, so this connection is in flight to it; it will not look at it.
    ask(primary.loop, port, [&](const std::string& text) {
      answer = text;
      primary.finish();
    });
    second = primary.cluster.fork(listen_on("0"));
    second->on_listening([&](const Address&) { stopped.process().kill(Signal::kill); });
  });

  primary.run();

  EXPECT_EQ(answer, std::to_string(second->process().pid()));
}

TEST(Server, SurvivesAPrimaryThatIsOutOfDescriptors) {
  Primary primary;
  int port = 0;
  int done = 0;
  int answered = 0;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  constexpr int clients = 200;
  Worker w = primary.cluster.fork(listen_on("0"));
  w.on_listening([&](const Address& address) {
    port = address.port.value();
    // So few that the clients' own sockets, in this process, use them up while the server accepts.
    const rlimit few{static_cast<rlim_t>(open_descriptors(getpid())) + 60, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    for (int i = 0; i < clients; ++i) {
      ask(primary.loop, port, [&](const std::string& text) {
        answered += text.empty() ? 0 : 1;
        if (++done < clients) return;
        setrlimit(RLIMIT_NOFILE, &before);
        // It is as good as new.
        ask(primary.loop, port, [&](const std::string& again) {
          EXPECT_FALSE(again.empty());
          primary.finish();
        });
      });
    }
  });

  primary.run();

  EXPECT_EQ(done, clients);
  EXPECT_GT(answered, 0);
}

TEST(Server, ReportsAForkThatFindsNoDescriptor) {
  Primary primary;
  std::string message;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{static_cast<rlim_t>(open_descriptors(getpid())) - 1, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  Worker failed = primary.cluster.fork(listen_on("0"));
  setrlimit(RLIMIT_NOFILE, &before);
  failed.on_error([&](const Error& error) { message = error.message; });
  bool online = false;
  Worker fine = primary.cluster.fork(listen_on("0"));
  fine.on_online([&] {
    online = true;
    primary.finish();
  });

  primary.run();

  EXPECT_NE(message.find("EMFILE"), std::string::npos) << message;
  EXPECT_TRUE(online);
}

TEST(Server, RefusesToListenTwiceAndOnWhatIsNoPort) {
  Primary primary;
  auto server = net::create_server(primary.cluster, [](net::Socket) {});
  server.listen(0);

  EXPECT_THROW(server.listen(0), Exception);
  server.close();
  EXPECT_THROW(server.close(), Exception);
  auto other = net::create_server(primary.cluster, [](net::Socket) {});
  EXPECT_THROW(other.listen(65536), Exception);
  EXPECT_THROW(other.listen(-1), Exception);

  primary.run();
}

// Takes no connection, and says which it dropped.
WORKER(DropsAll) {
  auto server = net::create_server(cluster, [](net::Socket) {});
  server.set_max_connections(0);
  server.set_drop_max_connection(true);
  server.on_drop([self = cluster.process()](const net::DroppedConnection& dropped) mutable {
    self.send(Value{{"local", dropped.local_address->port.value()}, {"remote", dropped.remote_address->port.value()}});
  });
  server.listen(0);
  return loop.run();
}

TEST_P(Policy, TellsWhatIsDroppedOverTheLimit) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam().policy);
  net::Socket client;
  int port = 0;
  std::optional<int> own_port;
  Value told;
  Worker w = primary.cluster.fork(worker("DropsAll"));
  w.on_listening([&](const Address& address) {
    port = address.port.value();
    client = net::connect(primary.loop, port, "127.0.0.1", [&] { own_port = client.local_address()->port; });
    client.on_data([](std::string_view) {});
    client.on_close([&] { primary.finish(); });
  });
  w.on_message([&](Message& message) { told = message.data; });

  primary.run();

  EXPECT_EQ(told, (Value{{"local", port}, {"remote", own_port.value()}}));
}

TEST(Server, WaitsForItsConnectionsWhenItsWorkerIsAskedToLeave) {
  Primary primary;
  bool ended = false;
  bool answered = false;
  bool disconnected = false;
  Worker w = primary.cluster.fork(worker("SlowServer"));
  net::Socket client;
  w.on_listening([&](const Address& address) {
    client = net::connect(primary.loop, address.port.value());
    client.on_data([&](std::string_view) {
      w.disconnect();
      // The worker is asked to leave while it serves; it says so, and only then is it let go.
      w.send("leaving?");
    });
  });
  w.on_message([&](Message&) {
    answered = true;
    EXPECT_FALSE(disconnected);
    client.end();
    ended = true;
  });
  w.on_disconnect([&] {
    disconnected = true;
    EXPECT_TRUE(ended);
  });

  primary.run();

  EXPECT_TRUE(answered);
  EXPECT_TRUE(disconnected);
}

WORKER(SlowServer) {
  auto server = net::create_server(cluster, [](net::Socket socket) {
    socket.write("hello");
    socket.on_data([](std::string_view) {});
  });
  server.listen(0);
  cluster.process().on_message([self = cluster.process()](Message& message) mutable { self.send(message.data); });
  return loop.run();
}

TEST(Server, ListensAgainBeforeItHasClosed) {
  Primary primary;
  auto server = net::create_server(primary.cluster, [](net::Socket socket) { socket.end("hello"); });
  int closed = 0;
  std::string answer;
  server.listen(0, [&] {
    server.close([&] { ++closed; });
    EXPECT_FALSE(server.is_listening());
    server.listen(0, [&] {
      auto client = net::connect(primary.loop, server.address()->port.value());
      client.on_data([&](std::string_view bytes) { answer += bytes; });
      client.on_close([&] {
        EXPECT_EQ(closed, 0);
        server.close();
      });
    });
  });

  primary.loop.run();

  EXPECT_EQ(answer, "hello");
  EXPECT_EQ(closed, 1);
}

TEST(Server, ListensAgainBeforeItHasClosedInAWorker) {
  Primary primary;
  Worker w = primary.cluster.fork(worker("ListensTwice"));
  std::string answer;
  w.on_message([&](Message& message) {
    auto client = net::connect(primary.loop, static_cast<int>(message.data.as_number()));
    client.on_data([&](std::string_view bytes) { answer += bytes; });
    client.on_close([&, w]() mutable { w.disconnect(); });
  });

  primary.run();

  EXPECT_EQ(answer, "hello");
  EXPECT_EQ(w.process().exit_status(), ExitStatus::exited(0));
}

WORKER(ListensTwice) {
  auto server = net::create_server(cluster, [](net::Socket socket) { socket.end("hello"); });
  server.listen(0, [server, self = cluster.process()]() mutable {
    server.close();
    server.listen(0, [server, self]() mutable { self.send(Value(server.address()->port.value())); });
  });
  return loop.run();
}

TEST(Server, AnUnreferencedConnectionHoldsNoLoop) {
  Primary primary;
  std::vector<net::Socket> kept;
  net::Server server = net::create_server(primary.cluster, [&](net::Socket socket) {
    socket.unref();
    kept.push_back(socket);
    server.unref();
  });
  net::Socket client;
  server.listen(0, [&] {
    client = net::connect(primary.loop, server.address()->port.value());
    client.unref();
  });

  EXPECT_EQ(primary.loop.run(), 0);

  ASSERT_EQ(kept.size(), 1U);
  EXPECT_FALSE(kept[0].is_destroyed());
}

}  // namespace
}  // namespace muster::test
