// Workers that leave, and the connections that they still have.

#include <deque>
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
    session.write("app.js",
                  "const answers = [\n"
                  "  s => s.setHeader('Connection', 'keep-alive'),\n"
                  "  s => { s.setHeader('connection', ['keep-alive']); s.setHeader('Keep-Alive', 'timeout=60'); },\n"
                  "  s => s.writeHead(200, { Connection: 'keep-alive' }),\n"
                  "  s => s.writeHead(200, 'OK', ['connection', 'keep-alive', 'X-A', 'b']),\n"
                  "  s => { s.setHeader('x', 'y'); s.writeHead(200, ['Connection', 'Keep-Alive']); },\n"
                  "  s => { s.shouldKeepAlive = true; s.setHeader('Connection', 'keep-alive'); s.flushHeaders(); },\n"
                  "  s => { s.setHeader('Connection', 'keep-alive'); s.write('a'); },\n"
                  "];\n"
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

    for (int form = 0; form < 7; ++form) {
      const std::string response = ask(form);
      EXPECT_EQ(count_of(response, "\r\nConnection: close\r\n"), 1) << response;
      EXPECT_EQ(count_of(response, "eep-"), 0) << response;
      connections[form].rest();
      EXPECT_TRUE(connections[form].whole());
    }
  }
}

}  // namespace
}  // namespace muster::test
