// SPDX-License-Identifier: MIT
// What clients notice of an app that changes its workers: nothing of a reload, and little of a crash.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "loaded_app.h"
#include "steady_clients.h"
#include "support.h"
#include "support/node.h"

namespace muster::test {
namespace {

constexpr int workers = 2;
const std::map<std::string, int> no_failures;

std::vector<std::string> cpp_server() { return {std::string(MUSTER_BINARY_DIR) + "/hello_http"}; }

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

// The beginning of an answer; empty when the connection has ended.
std::string ask_on(int fd) {
  constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  std::string text(4096, '\0');
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, recv(fd, text.data(), text.size(), 0))));
  return text;
}

struct Reload : testing::TestWithParam<const char*> {
  // `muster run` with these settings, and the server of the parameter.
  std::vector<std::string> with(std::vector<std::string> settings) const {
    std::vector<std::string> server = cpp_server();
    if (GetParam() != std::string("Cpp")) {
      const std::string node = node_program(GetParam() == std::string("Node20") ? 20 : 26);
      server = {"--interpreter", node,
                folder.write("server.js",
                             "require('http').createServer((request, response) => response.end('hello world\\n'))"
                             ".listen(process.env.PORT)")};
    }
    settings.insert(settings.end(), {"--workers", std::to_string(workers)});
    settings.insert(settings.end(), server.begin(), server.end());
    return settings;
  }
  std::map<std::string, std::string> env() const { return {{"PORT", std::to_string(port)}}; }

  static void reload(const LoadedApp& app, int times) {
    for (int i = 0; i < times; ++i) {
      const ProgramResult result = app.command({"reload"});
      ASSERT_EQ(result.exit_code, 0) << result.output;
    }
  }

  TemporaryFolder folder;
  int port = free_port();
};

TEST_P(Reload, LosesNoRequestOnConnectionsThatAreKeptAndAlwaysBusy) {
  const LoadedApp app(with({}), env());
  SteadyClients clients({.port = port});

  reload(app, 3);

  const auto result = clients.finish();
  EXPECT_EQ(result.failed, no_failures);
  EXPECT_EQ(result.ended_idle, 0U);
  EXPECT_GT(result.announced, 0U);
}

TEST_P(Reload, LosesNoRequestOnConnectionsThatAreIdleInBetween) {
  const LoadedApp app(with({}), env());
  SteadyClients clients({.port = port, .pause = std::chrono::milliseconds(20)});

  reload(app, 3);

  const auto result = clients.finish();
  EXPECT_EQ(result.failed, no_failures);
  EXPECT_EQ(result.ended_idle, 0U) << "connections ended that were promised to stay open";
  EXPECT_GT(result.announced, 0U);
}

TEST_P(Reload, LosesNoRequestOnNewConnections) {
  const LoadedApp app(with({}), env());
  SteadyClients clients({.port = port, .keep = false});

  reload(app, 3);

  const auto result = clients.finish();
  EXPECT_EQ(result.failed, no_failures);
}

TEST_P(Reload, LeavesWhoHasConnectedAndNotAskedYetTheTimeToAsk) {
  const LoadedApp app(with({}), env());
  const int early = connect_to(port);

  reload(app, 1);

  EXPECT_EQ(ask_on(early).substr(0, 15), "HTTP/1.1 200 OK");
  close(early);
}

TEST_P(Reload, OfAllAtOnceLosesNoRequest) {
  const LoadedApp app(with({"--parallel", "2"}), env());
  SteadyClients kept({.port = port, .clients = 8, .pause = std::chrono::milliseconds(1)});
  SteadyClients fresh({.port = port, .clients = 8, .keep = false});

  reload(app, 3);

  EXPECT_EQ(kept.finish().failed, no_failures);
  EXPECT_EQ(fresh.finish().failed, no_failures);
}

INSTANTIATE_TEST_SUITE_P(Of, Reload, testing::Values("Cpp", "Node20", "Node26"),
                         [](const auto& parameter) { return std::string(parameter.param); });

struct Storm : Reload {};

TEST_P(Storm, OfKilledWorkersLeavesNoClientWaiting) {
  constexpr int kills = 8;
  LoadedApp app(with({"--max-restarts", "0", "--backoff", "1ms", "--max-backoff", "1ms"}), env());
  SteadyClients clients({.port = port, .keep = false});

  for (int i = 0; i < kills; ++i) {
    const std::vector<int> ready = app.workers();
    ASSERT_FALSE(ready.empty());
    kill(ready.front(), SIGKILL);
    app.wait_for("is ready");
  }

  auto result = clients.finish();
  EXPECT_EQ(result.failed["hung"], 0);
  EXPECT_EQ(result.failed["refused"], 0);
  // What a worker had read dies with it.
  EXPECT_LE(result.failed["reset"] + result.failed["ended"], kills * 16 / workers * 2);
  EXPECT_EQ(result.failed["wrong"], 0);
  SteadyClients after({.port = port, .keep = false});
  EXPECT_EQ(after.finish().failed, no_failures);
}

INSTANTIATE_TEST_SUITE_P(Of, Storm, testing::Values("Cpp", "Node20"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST(Reloads, DoNotMakeThePrimaryGrow) {
  const LoadedApp app({"--workers", "2", "--parallel", "2", cpp_server().front()}, {{"PORT", std::to_string(free_port())}});
  Reload::reload(app, 10);
  const std::size_t descriptors = open_descriptors(app.pid());
  [[maybe_unused]] const std::size_t memory = app.memory();

  Reload::reload(app, 50);

#ifndef MUSTER_SANITIZED  // which keeps freed memory for a while, to be looked at
  EXPECT_LE(app.memory(), memory + 256);
#endif
  // The last of the old workers may be leaving still.
  EXPECT_TRUE(eventually([&] { return open_descriptors(app.pid()) <= descriptors + 8; }, "their descriptors are closed"));
}

}  // namespace
}  // namespace muster::test
