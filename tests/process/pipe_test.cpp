// SPDX-License-Identifier: MIT
// Unix sockets that workers share.

#include <sys/stat.h>

#include <map>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// Listens on TESTS_PATH with as many connections as TESTS_LIMIT; says its limit to each and keeps it.
WORKER(LimitedPath) {
  const char* limit = std::getenv("TESTS_LIMIT");
  auto server = net::create_server(cluster, [limit](net::Socket socket) {
    socket.on_data([](std::string_view) {});
    socket.write(limit);
  });
  server.set_max_connections(std::stoul(limit));
  ListenOptions options;
  options.path = std::getenv("TESTS_PATH");
  server.listen(options);
  return loop.run();
}

TEST(Pipe, IsSharedByWorkersOfWhichEachTakesAsManyAsItMay) {
  Primary primary;
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/socket";
  std::map<std::string, int> served;
  std::vector<net::Socket> clients;
  int listening = 0;
  int answered = 0;
  primary.cluster.on_listening([&](Worker, const Address&) {
    if (++listening < 3) return;
    for (int i = 0; i < 10; ++i) {
      clients.push_back(net::connect(primary.loop, path));
      clients.back().on_data([&](std::string_view limit) {
        ++served[std::string(limit)];
        if (++answered < 10) return;
        for (net::Socket& client : clients) client.end();
        primary.finish();
      });
      clients.back().on_error([](const Error& error) { ADD_FAILURE() << error.message; });
    }
  });
  for (const char* limit : {"0", "1", "9"}) {
    primary.cluster.fork(worker("LimitedPath", {{"TESTS_PATH", path}, {"TESTS_LIMIT", limit}}));
  }

  primary.run();

  EXPECT_EQ(served, (std::map<std::string, int>{{"1", 1}, {"9", 9}}));
}

struct Modes {
  bool readable;
  bool writable;
  mode_t mode;
};

class PipeModes : public testing::TestWithParam<std::tuple<SchedulingPolicy, Modes>> {};

TEST_P(PipeModes, AreWhatTheWorkerAskedFor) {
  const auto [policy, modes] = GetParam();
  Primary primary;
  primary.cluster.set_scheduling_policy(policy);
  const mode_t before = umask(0077);
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/socket";
  struct stat status {};
  primary.cluster.on_listening([&](Worker, const Address&) {
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    primary.finish();
  });
  primary.cluster.fork(worker(
      "PathWithModes",
      {{"TESTS_PATH", path}, {"TESTS_READABLE", modes.readable ? "1" : ""}, {"TESTS_WRITABLE", modes.writable ? "1" : ""}}));

  primary.run();
  umask(before);

  EXPECT_EQ(status.st_mode & 0777, modes.mode);
}

WORKER(PathWithModes) {
  auto server = net::create_server(cluster, [](net::Socket) {});
  ListenOptions options;
  options.path = std::getenv("TESTS_PATH");
  options.readable_all = *std::getenv("TESTS_READABLE") != 0;
  options.writable_all = *std::getenv("TESTS_WRITABLE") != 0;
  server.listen(options);
  return loop.run();
}

INSTANTIATE_TEST_SUITE_P(Pipe, PipeModes,
                         testing::Combine(testing::Values(SchedulingPolicy::round_robin, SchedulingPolicy::none),
                                          testing::Values(Modes{false, false, 0700}, Modes{true, false, 0744},
                                                          Modes{false, true, 0722}, Modes{true, true, 0766})));

TEST(Pipe, HasNoAddressesAndMayEndWithItsWorker) {
  Primary primary;
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/socket";
  std::string heard;
  net::Socket client;
  std::optional<ExitStatus> status;
  Worker w = primary.cluster.fork(worker("PathAndExit", {{"TESTS_PATH", path}}));
  w.on_listening([&](const Address&) {
    client = net::connect(primary.loop, path);
    client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.on_data([&](std::string_view bytes) { heard += bytes; });
  });
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(body_of(heard), "served");
  EXPECT_FALSE(client.local_address());
  EXPECT_FALSE(client.remote_address());
  EXPECT_EQ(status, ExitStatus::exited(0));
}

WORKER(PathAndExit) {
  auto server = http::create_server(cluster, [&loop](http::Request&, http::Response& response) {
    response.on_finish([&loop] { loop.stop(); });
    response.end("served");
  });
  ListenOptions options;
  options.path = std::getenv("TESTS_PATH");
  server.listen(options);
  return loop.run();
}

TEST(Pipe, ThatSomebodyElseServesIsTaken) {
  Primary primary;
  const TemporaryFolder folder;
  ListenOptions options;
  options.path = folder.path() + "/socket";
  Value told;
  auto server = net::create_server(primary.cluster, [](net::Socket) {});
  server.listen(options, [&] {
    Worker w = primary.cluster.fork(worker("TakenPath", {{"TESTS_PATH", options.path}}));
    w.on_message([&](Message& message) {
      told = message.data;
      server.close();
      primary.finish();
    });
  });

  primary.run();

  EXPECT_EQ(told["code"], Value("EADDRINUSE"));
  EXPECT_EQ(told["message"], Value("bind EADDRINUSE " + options.path));
}

WORKER(TakenPath) {
  auto server = net::create_server(cluster, [](net::Socket) {});
  server.on_error([self = cluster.process()](const Error& error) mutable {
    self.send(Value{{"code", error_name(error.code)}, {"message", error.message}});
  });
  ListenOptions options;
  options.path = std::getenv("TESTS_PATH");
  server.listen(options);
  return loop.run();
}

}  // namespace
}  // namespace muster::test
