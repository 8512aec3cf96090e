// SPDX-License-Identifier: MIT
// Programs that take their sockets as descriptors, as systemd gives them.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

// Serves every socket it was given, of any kind; says its process.
constexpr const char* server_py = R"(
import os, select, signal, socket, sys
assert int(os.environ['LISTEN_PID']) == os.getpid(), 'LISTEN_PID'
assert 'NODE_CHANNEL_FD' not in os.environ and 'NODE_UNIQUE_ID' not in os.environ, 'channel'
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
listeners = [socket.socket(fileno=3 + i) for i in range(int(os.environ['LISTEN_FDS']))]
for listener in listeners: listener.setblocking(False)
print('sockets', len(listeners), 'open', sorted(int(f) for f in os.listdir('/proc/self/fd')), flush=True)
if 'NOTIFY_SOCKET' in os.environ:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET']); s.close()
version = os.environ.get('VERSION', '')
while True:
    for ready in select.select(listeners, [], [])[0]:
        try:
            if ready.type == socket.SOCK_DGRAM:
                data, who = ready.recvfrom(100); ready.sendto(data + b' of ' + str(os.getpid()).encode(), who); continue
            connection = ready.accept()[0]
        except BlockingIOError: continue
        connection.setblocking(True)
        connection.recv(1000)
        connection.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n' + version.encode() + str(os.getpid()).encode())
        connection.close()
)";

std::string url(int port) { return fmt::format("tcp://127.0.0.1:{}", port); }

struct ListenFds : testing::Test {
  void start(std::vector<std::string> flags, std::vector<std::string> app = {"app.py"}) {
    session.write("app.py", server_py);
    flags.insert(flags.begin(), "run");
    if (app[0].ends_with(".py")) flags.insert(flags.end(), {"--interpreter", "python3"});
    flags.insert(flags.end(), app.begin(), app.end());
    muster.emplace(session, Launch{.words = std::move(flags)});
    muster->line(" ready on ");
  }
  Session session;
  int port = free_port();
  std::optional<Running> muster;
};

TEST_F(ListenFds, AreServedByEveryWorker) {
  start({"-n", "2", "--listen", url(port)});
  EXPECT_TRUE(eventually([&] { return gets(port, 10).size() == 2; }, "both answer"));
  const auto workers = session.workers("app");
  EXPECT_EQ(workers.size(), 2U);
  const auto status = session.status("app");
  EXPECT_EQ(status["listening"][0], url(port));
  muster->signal(SIGTERM);
  EXPECT_EQ(muster->exit_code(), 0);
  EXPECT_EQ(get(port), "refused");
}

TEST_F(ListenFds, AreAllThatAWorkerHas) {
  start({"--listen", url(port), "--listen", "unix:" + session.file("a.sock")});
  const std::string& output = muster->output();
  EXPECT_TRUE(has(output, "sockets 2 open [0, 1, 2, 3, 4,")) << output;
  // And the folder that it lists.
  EXPECT_TRUE(has(output, "[0, 1, 2, 3, 4, 5]")) << output;
}

TEST_F(ListenFds, MayBeOfAnyKind) {
  const std::string path = session.file("a.sock");
  start({"--listen", url(port), "--listen", "unix:" + path, "--listen", fmt::format("udp://127.0.0.1:{}", port)});
  const std::string pid = get(port);
  Connection connection(path);
  connection.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(body_of(connection.rest()), pid);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sendto(fd, "hello", 5, 0, reinterpret_cast<sockaddr*>(&address), sizeof address);
  char bytes[100];
  const ssize_t size = recv(fd, bytes, sizeof bytes, 0);
  close(fd);
  EXPECT_EQ(std::string(bytes, static_cast<std::size_t>(std::max<ssize_t>(0, size))), "hello of " + pid);
  muster->signal(SIGTERM);
  EXPECT_EQ(muster->exit_code(), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ListenFds, OutliveTheirWorkers) {
  start({"--listen", url(port), "--backoff", "10ms"});
  const std::string first = get(port);
  kill(std::stoi(first), SIGKILL);
  const std::string second = get(port);
  EXPECT_NE(second, first);
  EXPECT_NE(second, "refused");
  // This one is new.
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_NE(get(port), second);
}

TEST_F(ListenFds, SurviveAnUpgrade) {
  const std::string path = session.file("a.sock");
  start({"--listen", url(port), "--listen", "unix:" + path});
  const std::string before = get(port);
  muster->signal(SIGUSR2);
  EXPECT_EQ(muster->own_exit_code(), 0);
  const std::string after = get(port);
  EXPECT_NE(after, before);
  EXPECT_NE(after, "refused");
  Connection connection(path);
  EXPECT_TRUE(connection.connected());
}

// Where somebody has removed the file, a reload makes it again.
TEST_F(ListenFds, AreMadeAgainWhereTheirFileWasRemoved) {
  const std::string path = session.file("a.sock");
  start({"--listen", url(port), "--listen", "unix:" + path});
  std::filesystem::remove(path);
  EXPECT_FALSE(Connection(path).connected());
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_TRUE(Connection(path).connected());
  EXPECT_NE(get(port), "refused");
}

// A program that ends its accept() by shutdown(2) shuts the socket of all.
TEST_F(ListenFds, AreOpenedAgainWhereAWorkerHasShutThem) {
  const std::string path = session.file("a.sock");
  start({"--listen", url(port), "--listen", "unix:" + path, "--listen", fmt::format("udp://127.0.0.1:{}", port)});
  const std::string first = get(port);
  const std::string shut =
      "import os, socket\n"
      "for fd in (3, 4, 5):\n"
      "  try: socket.socket(fileno=os.dup(fd)).shutdown(socket.SHUT_RDWR)\n"
      "  except OSError: pass\n";
  session.write("app.py", std::string(server_py).replace(std::string(server_py).find("version ="), 0, shut + "os._exit(0)\n"));
  session.run({"reload", "app"});
  session.write("app.py", server_py);
  EXPECT_TRUE(eventually([&] { return session.run({"reload", "app"}).code == 0; }, "a reload succeeds"));
  EXPECT_NE(get(port), "refused");
  EXPECT_NE(get(port), first);
  EXPECT_TRUE(Connection(path).connected());
}

TEST_F(ListenFds, GoWithTheWorkersWhenThePrimaryIsKilled) {
  start({"-n", "2", "--listen", url(port)});
  const auto workers = session.workers("app");
  muster->signal(SIGKILL);
  for (const int pid : workers) EXPECT_TRUE(gone(pid));
  EXPECT_TRUE(gone(muster->pid()));
  EXPECT_EQ(get(port), "refused");
}

TEST_F(ListenFds, CannotBeWhereSomebodyListens) {
  session.write("app.py", server_py);
  const int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(other, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(other, 1), 0);
  for (const char* command : {"run", "start"}) {
    const Ended ended = session.run({command, "--listen", url(port), "--interpreter", "python3", "app.py"});
    EXPECT_EQ(ended.code, 1) << command;
    EXPECT_TRUE(has(ended.err, fmt::format("cannot listen on {}: bind", url(port)))) << ended.all();
    EXPECT_TRUE(has(ended.err, "another program listens there")) << ended.all();
  }
  close(other);
  EXPECT_TRUE(eventually([&] { return session.temporary_files().empty(); }, "nothing is left"));
}

TEST_F(ListenFds, OfANodeServerCannotBeWhereSomebodyListensEither) {
  const int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(other, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(other, 1), 0);
  session.write("app.js", server_js(port));
  const Ended ended = session.run({"run", "--backoff", "1ms", "app.js"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(has(ended.err, "EADDRINUSE")) << ended.all();
  close(other);
}

// As systemd gives them: nothing but accept() is needed.
TEST_F(ListenFds, Block) {
  session.write(
      "naive.py",
      "import os, socket\ns = socket.socket(fileno=3)\nwhile True:\n    c = s.accept()[0]\n    c.recv(1000)\n"
      "    c.sendall(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n' + str(os.getpid()).encode())\n    c.close()\n");
  start({"-n", "2", "--listen", url(port)}, {"naive.py"});
  EXPECT_TRUE(eventually([&] { return gets(port, 10).size() == 2; }, "both answer"));
}

TEST_F(ListenFds, LeaveAFileAloneThatIsNoSocket) {
  session.write("precious", "words");
  session.write("app.py", server_py);
  Running refused(session,
                  {.words = {"run", "--listen", "unix:" + session.file("precious"), "--interpreter", "python3", "app.py"}});
  EXPECT_EQ(refused.exit_code(), 1);
  EXPECT_TRUE(has(refused.output(), "precious: what is there is no socket")) << refused.output();
  EXPECT_EQ(session.read("precious"), "words");
}

TEST_F(ListenFds, ReplaceASocketThatNobodyListensOn) {
  const std::string path = session.file("a.sock");
  start({"--listen", "unix:" + path});
  muster->signal(SIGKILL);
  muster->own_exit_code();
  EXPECT_TRUE(std::filesystem::exists(path));
  for (const int pid : children_of(getpid())) gone(pid);
  start({"--listen", "unix:" + path});
  EXPECT_TRUE(Connection(path).connected());
}

struct Gunicorn : ListenFds {
  void SetUp() override {
    ASSERT_EQ(access("/usr/bin/gunicorn", X_OK), 0) << "install the package gunicorn";
    session.write("website.py",
                  "import os\ndef app(environ, start):\n    start('200 OK', [('Content-Type', 'text/plain')])\n"
                  "    return [('site %d' % os.getppid()).encode()]\n");
  }
};

TEST_F(Gunicorn, ServesAndIsReloadedAndGoesWithItsPrimary) {
  start({"-n", "2", "--ready-delay", "1s", "--name", "site", "--listen", url(port)}, {"/usr/bin/gunicorn", "website:app"});
  EXPECT_TRUE(has(get(port), "site ")) << get(port) << muster->output();
  const auto before = session.workers("site");
  ASSERT_EQ(before.size(), 2U);
  const Ended reloaded = session.run({"reload", "site"});
  EXPECT_EQ(reloaded.code, 0) << reloaded.all() << muster->output();
  for (const int pid : before) EXPECT_TRUE(gone(pid));
  EXPECT_TRUE(has(get(port), "site ")) << get(port) << muster->output();
  // Each has a process of its own that answers.
  std::vector<int> all;
  EXPECT_TRUE(eventually([&] { return (all = children_of(muster->pid())).size() >= 4; }, "all processes are there"));
  muster->signal(SIGKILL);
  for (const int pid : all) EXPECT_TRUE(gone(pid));
  EXPECT_TRUE(gone(muster->pid()));
}

struct Uvicorn : ListenFds {
  void SetUp() override {
    ASSERT_EQ(access("/usr/bin/uvicorn", X_OK), 0) << "install the package uvicorn";
    session.write("website.py",
                  "import os\nasync def app(scope, receive, send):\n    if scope['type'] != 'http': return\n"
                  "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
                  "    await send({'type': 'http.response.body', 'body': b'site ' + str(os.getpid()).encode()})\n");
  }
};

TEST_F(Uvicorn, ServesAndIsReloadedAndGoesWithItsPrimary) {
  start({"-n", "2", "--ready-delay", "1s", "--name", "site", "--listen", url(port)},
        {"/usr/bin/uvicorn", "--fd", "3", "website:app"});
  const auto before = session.workers("site");
  ASSERT_EQ(before.size(), 2U);
  EXPECT_TRUE(has(get(port), "site ")) << muster->output();
  EXPECT_EQ(session.run({"reload", "site"}).code, 0);
  for (const int pid : before) EXPECT_TRUE(gone(pid));
  EXPECT_TRUE(has(get(port), "site "));
  const auto all = session.workers("site");
  muster->signal(SIGKILL);
  for (const int pid : all) EXPECT_TRUE(gone(pid));
  EXPECT_TRUE(gone(muster->pid()));
}

}  // namespace
}  // namespace muster::test
