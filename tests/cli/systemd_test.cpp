// SPDX-License-Identifier: MIT
// What a service manager is told, and the sockets it has bound.

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

class Manager {
 public:
  explicit Manager(std::string path) : path_(std::move(path)), fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() { close(fd_); }

  // The next that has this, whatever else is told before.
  std::string hear(std::string_view part) {
    for (;;) {
      pollfd waiting{fd_, POLLIN, 0};
      if (poll(&waiting, 1, 100'000) <= 0) {
        ADD_FAILURE() << part << " was not told; this was: " << heard;
        return {};
      }
      char bytes[4096];
      const ssize_t size = recv(fd_, bytes, sizeof bytes, 0);
      if (size <= 0) continue;
      const std::string text(bytes, static_cast<std::size_t>(size));
      heard += text + "\n--\n";
      if (has(text, part)) return text;
    }
  }
  const std::string& path() const { return path_; }
  std::string heard;

 private:
  std::string path_;
  int fd_;
};

struct Systemd : testing::Test {
  Session session;
  int port = free_port();
  Manager manager{session.file("notify")};
};

TEST_F(Systemd, IsToldOfEveryStep) {
  session.write("app.js", server_js(port, "String(process.env.NOTIFY_SOCKET) + process.env.WATCHDOG_USEC"));
  Running muster(session, {.words = {"run", "-n", "2", "app.js"}, .env = {{"NOTIFY_SOCKET", manager.path()}}});
  EXPECT_TRUE(has(manager.hear("READY=1"), fmt::format("MAINPID={}", muster.pid())));
  EXPECT_EQ(session.workers("app").size(), 2U);
  // The manager is the primary's to talk to.
  EXPECT_FALSE(has(get(port), manager.path())) << get(port);
  manager.heard.clear();
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_TRUE(has(manager.hear("RELOADING=1"), "MONOTONIC_USEC="));
  manager.hear("READY=1");
  muster.signal(SIGTERM);
  manager.hear("STOPPING=1");
  EXPECT_EQ(muster.exit_code(), 0);
}

TEST_F(Systemd, IsToldThatItStopsBeforeTheWorkersHaveEnded) {
  session.write("app.js", server_js(port, "''",
                                    "process.on('SIGTERM', () => {}); process.on('disconnect', () => {});"
                                    "setInterval(() => {}, 1000);"));
  Running muster(session, {.words = {"run", "--drain-timeout", "1h", "app.js"}, .env = {{"NOTIFY_SOCKET", manager.path()}}});
  manager.hear("READY=1");
  Connection connection(port);
  muster.signal(SIGTERM);
  manager.hear("STOPPING=1");
  EXPECT_TRUE(muster.alive());
  muster.signal(SIGINT);
  EXPECT_EQ(muster.exit_code(), 0);
}

TEST_F(Systemd, IsToldAgainAndAgainWhereItWatches) {
  session.write("app.js", server_js(port));
  Running muster(session,
                 {.words = {"run", "app.js"}, .env = {{"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "400000"}}});
  manager.hear("WATCHDOG=1");
  for (int i = 0; i < 4; ++i) manager.hear("WATCHDOG=1");
}

TEST_F(Systemd, IsToldWhoIsThePrimaryNow) {
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "app.js"},
                           .env = {{"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "400000"}},
                           .before = {"sh", "-c", "WATCHDOG_PID=$$ exec \"$@\"", "sh"}});
  manager.hear("READY=1");
  muster.signal(SIGUSR2);
  const std::string told = manager.hear("MAINPID=");
  const int now = std::atoi(told.c_str() + told.find("MAINPID=") + 8);
  EXPECT_NE(now, muster.pid());
  EXPECT_EQ(muster.own_exit_code(), 0);
  EXPECT_TRUE(is_alive(now));
  EXPECT_FALSE(has(manager.heard, "STOPPING=1")) << manager.heard;
  // It goes on telling that it lives.
  manager.heard.clear();
  for (int i = 0; i < 3; ++i) manager.hear("WATCHDOG=1");
  EXPECT_EQ(session.status("app")["pid"], now);
}

TEST_F(Systemd, HearsNothingOfAnAppInTheBackground) {
  session.write("app.js", server_js(port, "String(process.env.NOTIFY_SOCKET)"));
  Launch start;
  start.words = {"start", "app.js"};
  start.env = {{"NOTIFY_SOCKET", manager.path()}};
  EXPECT_EQ(session.run(start).code, 0);
  EXPECT_FALSE(has(get(port), manager.path()));
}

// Binds what is in PORT, and becomes the words.
constexpr const char* activate = R"(
import os, socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', int(os.environ['ACTIVATE']))); s.listen(64)
s.set_inheritable(True)
if s.fileno() != 3: os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='web.socket')
os.execv(sys.argv[1], sys.argv[1:])
)";

TEST_F(Systemd, GivesItsSocketToANodeServer) {
  session.write("app.js", server_js(port, "String(process.env.LISTEN_FDS)"));
  session.write("activate.py", activate);
  Running muster(session, {.words = {"run", "-n", "2", "app.js"},
                           .env = {{"ACTIVATE", std::to_string(port)}, {"NOTIFY_SOCKET", manager.path()}},
                           .before = {"python3", "activate.py"}});
  // Who comes before anybody is there waits.
  EXPECT_TRUE(eventually([&] { return Connection(port).connected(); }, "it listens"));
  EXPECT_EQ(get(port), "undefined");
  muster.line("2 workers are ready");
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_EQ(get(port), "undefined");
}

TEST_F(Systemd, GivesItsSocketToAProgramThatTakesDescriptors) {
  session.write("app.py",
                "import os, socket\ns = socket.socket(fileno=3)\ns.setblocking(True)\nwhile True:\n    c = s.accept()[0]\n    "
                "c.recv(1000)\n"
                "    c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n' + os.environ['LISTEN_FDS'].encode() + "
                "os.environ.get('LISTEN_FDNAMES', 'none').encode())\n    c.close()\n");
  session.write("activate.py", activate);
  Running muster(session, {.words = {"run", "--ready-delay", "1ms", "--listen", fmt::format("tcp://127.0.0.1:{}", port),
                                     "--interpreter", "python3", "app.py"},
                           .env = {{"ACTIVATE", std::to_string(port)}},
                           .before = {"python3", "activate.py"}});
  muster.line("1 worker is ready");
  EXPECT_EQ(get(port), "1none");
}

TEST_F(Systemd, SeesAnAppThatFailsFail) {
  session.write("app.js", "throw new Error('no');\n");
  Launch launch;
  launch.words = {"run", "--backoff", "1ms", "app.js"};
  launch.env = {{"NOTIFY_SOCKET", manager.path()}};
  EXPECT_EQ(session.run(launch).code, 1);
  manager.hear("STOPPING=1");
  EXPECT_FALSE(has(manager.heard, "READY=1"));
}

}  // namespace
}  // namespace muster::test
