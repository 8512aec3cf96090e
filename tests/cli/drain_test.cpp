// SPDX-License-Identifier: MIT
// Workers that leave, and the connections that they still have.

#include <deque>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "support.h"
#include "support/node.h"

namespace muster::test {
namespace {

// However the program says that the connection stays open, the last answer of a worker that leaves says that it does not.
TEST(Drain, EndsConnectionsThatTheProgramPromisedToKeep) {
  for (const int version : {20, 26}) {
    Session session;
    const int port = free_port();
    session.write(
        "app.js",
        "const answers = [\n"
        "  s => s.setHeader('Connection', 'keep-alive'),\n"
        "  s => { s.setHeader('connection', ['keep-alive']); s.setHeader('Keep-Alive', 'timeout=60'); },\n"
        "  s => s.writeHead(200, { Connection: 'keep-alive' }),\n"
        "  s => s.writeHead(200, 'OK', ['connection', 'keep-alive', 'X-A', 'b']),\n"
        "  s => { s.setHeader('x', 'y'); s.writeHead(200, ['Connection', 'Keep-Alive']); },\n"
        "  s => { s.shouldKeepAlive = true; s.setHeader('Connection', 'keep-alive'); s.flushHeaders(); },\n"
        "  s => { s.setHeader('Connection', 'keep-alive'); s.write('a'); },\n"
        "];\n"
        "process.on('internalMessage', (m) => m.act === 'disconnect' && setImmediate(() => console.log('was told')));\n"
        "require('http').createServer((q, s) => { answers[Number(q.url.slice(1))](s); s.end('end'); })\n"
        "    .listen(" +
            std::to_string(port) + ", '127.0.0.1');\n");
    Running muster(session, {.words = {"run", "--interpreter", node_program(version), "app.js"}});
    muster.line("1 worker is ready");
    std::deque<Connection> connections;
    const auto ask = [&](int form) {
      connections[form].send("GET /" + std::to_string(form) + " HTTP/1.1\r\nHost: x\r\n\r\n");
      const std::string response = connections[form].response();
      EXPECT_TRUE(has(response, "end")) << response;
      return response;
    };
    for (int form = 0; form < 7; ++form) {
      connections.emplace_back(port);
      EXPECT_FALSE(has(ask(form), "close"));
    }
    ASSERT_EQ(session.run({"reload", "app"}).code, 0);
    muster.line("was told");

    for (int form = 0; form < 7; ++form) {
      const std::string response = ask(form);
      EXPECT_EQ(count_of(response, "\r\nConnection: close\r\n"), 1) << response;
      EXPECT_EQ(count_of(response, "eep-"), 0) << response;
      connections[form].rest();
      EXPECT_TRUE(connections[form].whole());
    }
  }
}

// Its streams finish, and its client knows that no other may begin.
TEST(Drain, TellsAnHttp2SessionToGoAway) {
  for (const int version : {20, 26}) {
    Session session;
    const int port = free_port();
    session.write("app.js",
                  "const fs = require('fs');\n"
                  "require('http2').createServer((q, s) => {\n"
                  "  s.write('begin ');\n"
                  "  const look = () => fs.existsSync('go') ? s.end('end') : setTimeout(look, 10);\n"
                  "  look();\n"
                  "}).listen(" +
                      std::to_string(port) + ", '127.0.0.1');\n");
    session.write(
        "client.js",
        "const session = require('http2').connect('http://127.0.0.1:" + std::to_string(port) +
            "');\n"
            "session.once('goaway', (code) => { console.log('told', code); require('fs').writeFileSync('go', ''); });\n"
            "const stream = session.request({ ':path': '/' });\n"
            "stream.setEncoding('utf8');\n"
            "let text = '';\n"
            "stream.on('data', (data) => {\n"
            "  if (!text) require('child_process').execFile(process.argv[2], process.argv.slice(3));\n"
            "  text += data;\n"
            "});\n"
            "stream.on('close', () => console.log(text));\n");
    Running muster(session, {.words = {"run", "--interpreter", node_program(version), "app.js"}});
    muster.line("1 worker is ready");

    const Ended client = session.run({.words = {"reload", "app"}, .before = {node_program(20), session.file("client.js")}});

    EXPECT_EQ(client.code, 0) << client.all();
    EXPECT_EQ(client.out, "told 0\nbegin end\n");
  }
}

// What `Upgrade` made of it is the program's: it is waited for, and ended at last.
TEST(Drain, WaitsForAnUpgradedConnectionUntilItsTimeIsUp) {
  Session session;
  const int port = free_port();
  session.write("app.js",
                "require('http').createServer((q, s) => s.end('x')).on('upgrade', (q, socket) => {\n"
                "  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n');\n"
                "  socket.pipe(socket);\n"
                "}).listen(" +
                    std::to_string(port) + ", '127.0.0.1');\n");
  Running muster(session, {.words = {"run", "--drain-timeout", "3s", "app.js"}});
  muster.line("1 worker is ready");
  Connection connection(port);
  connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  EXPECT_TRUE(has(connection.until("\r\n\r\n"), "101"));

  ASSERT_EQ(session.run({"reload", "app"}).code, 0);

  connection.send("still ");
  connection.send("there");
  EXPECT_TRUE(has(connection.until("still there"), "still there"));
  connection.rest();
  EXPECT_TRUE(eventually([&] { return session.status("app")["workers"].size() == 1; }, "the old worker has ended"));
  EXPECT_EQ(session.status("app")["obituaries"][0]["signal"], "SIGTERM");
}

// Its session is its worker's, and begins anew with another.
TEST(Drain, EndsASessionOfPollingWhichBeginsAnew) {
  Session session;
  const int port = free_port();
  std::filesystem::create_directory_symlink(node_modules(), session.file("node_modules"));
  session.write("app.js", "const server = require('http').createServer().listen(" + std::to_string(port) +
                              ", '127.0.0.1');\n"
                              "new (require('socket.io').Server)(server, { pingInterval: 100 }).on('connection', (s) => "
                              "s.on('ask', (a) => a(process.pid)));\n");
  session.write(
      "client.js",
      "const socket = require('socket.io-client').io('http://127.0.0.1:" + std::to_string(port) +
          "', { transports: ['polling'] });\n"
          "const pids = [];\n"
          "socket.on('connect', () => socket.emit('ask', (pid) => {\n"
          "  if (pids.push(pid) === 1) return require('child_process').execFile(process.argv[2], process.argv.slice(3));\n"
          "  console.log(pids[0] !== pids[1] ? 'another worker' : 'the same worker');\n"
          "  process.exit();\n"
          "}));\n");
  Running muster(session, {.words = {"run", "app.js"}});
  muster.line("1 worker is ready");

  const Ended client = session.run({.words = {"reload", "app"}, .before = {node_program(20), session.file("client.js")}});

  EXPECT_EQ(client.out, "another worker\n") << client.all();
}

}  // namespace
}  // namespace muster::test
