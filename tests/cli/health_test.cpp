// SPDX-License-Identifier: MIT
// How well an app runs, as each command and each page of the admin port tells it.

#include <signal.h>

#include <regex>

#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

int admin_port(Running& muster) {
  const std::string line = muster.line("admin on http://");
  return std::stoi(line.substr(line.rfind(':') + 1));
}

// Of a page of the admin port.
std::string response(int port, const std::string& path) {
  Connection connection(port);
  connection.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return connection.response();
}

int code(int port, const std::string& path) { return std::stoi(response(port, path).substr(9)); }

std::string body(int port, const std::string& path) {
  const std::string text = response(port, path);
  return text.substr(text.find("\r\n\r\n") + 4);
}

TEST(Health, IsDegradedWhileAWorkerIsMissing) {
  Session session;
  session.write("app.js",
                "const fs = require('fs');\n"
                "const serve = () => require('http').createServer((q, s) => s.end('x')).listen(0, '127.0.0.1');\n"
                "const look = () => fs.existsSync('hold') ? setTimeout(look, 10) : serve();\n"
                "look();\n");
  Running muster(session, {.words = {"run", "-n", "2", "--admin", "127.0.0.1:0", "--backoff", "1ms", "app.js"}});
  const int port = admin_port(muster);
  muster.lines("is ready", 2);
  EXPECT_EQ(session.status("app")["state"], "running");
  EXPECT_EQ(body(port, "/healthz"), "ok\n");
  session.write("hold", "");

  ASSERT_EQ(kill(session.workers("app").at(0), SIGKILL), 0);

  EXPECT_TRUE(eventually([&] { return session.status("app")["state"] == "degraded"; }, "it is degraded"));
  EXPECT_TRUE(std::regex_search(session.run({"list"}).out, std::regex("app +degraded +1/2")));
  EXPECT_TRUE(has(session.run({"top", "--once"}).out, "app  degraded  1/2 ready"));
  EXPECT_EQ(body(port, "/healthz"), "degraded: 1 of 2 workers ready\n");
  EXPECT_EQ(body(port, "/readyz"), "degraded: 1 of 2 workers ready\n");
  EXPECT_EQ(code(port, "/readyz"), 200);
  EXPECT_TRUE(has(body(port, "/metrics"), "muster_state{app=\"app\",state=\"degraded\"} 1\n"));

  ASSERT_EQ(unlink(session.file("hold").c_str()), 0);
  EXPECT_TRUE(eventually([&] { return session.status("app")["state"] == "running"; }, "it runs again"));
  EXPECT_EQ(body(port, "/readyz"), "ok: 2 of 2 workers ready\n");
}

TEST(Health, TellsACrashLoopFromAnAppThatRuns) {
  Session session;
  // It lives until the file is there, and dies of it once more.
  session.write("app.js",
                "const fs = require('fs');\n"
                "setInterval(() => { try { fs.unlinkSync('die'); } catch { return; } process.exit(3); }, 5);\n"
                "require('http').createServer((q, s) => s.end('x')).listen(0, '127.0.0.1');\n");
  Running muster(session, {.words = {"run", "--admin", "127.0.0.1:0", "--backoff", "1ms", "--max-restarts", "0", "app.js"}});
  const int port = admin_port(muster);
  muster.line("is ready");
  for (int death = 1; death <= 3; ++death) {
    EXPECT_EQ(session.status("app")["state"], "running");
    session.write("die", "");
    muster.line("crashed after");
    muster.line("is ready");
  }

  EXPECT_EQ(session.status("app")["state"], "crash loop");
  EXPECT_TRUE(std::regex_search(session.run({"list"}).out, std::regex("app +crash loop +1/1")));
  EXPECT_TRUE(has(session.run({"top", "--once"}).out, "app  crash loop  1/1 ready  3 restarts"));
  EXPECT_TRUE(has(session.run({"status", "app"}).out, "app  crash loop\n"));
  EXPECT_EQ(body(port, "/healthz"), "crash loop: 1 of 1 workers ready\n");
  EXPECT_TRUE(has(body(port, "/metrics"), "muster_state{app=\"app\",state=\"crash loop\"} 1\n"));
  // A reload can mend it.
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_EQ(session.status("app")["state"], "running");
}

// What workers counted is not forgotten when they go.
TEST(Health, LetsNoTotalFallAtAReload) {
  Session session;
  const int app_port = free_port();
  session.write("app.js", server_js(app_port));
  Running muster(session, {.words = {"run", "--admin", "127.0.0.1:0", "app.js"}});
  const int port = admin_port(muster);
  muster.line("is ready");
  const std::string connections = "muster_connections_total{app=\"app\"} 7\n";
  const std::string of_seat = "muster_worker_connections_total{app=\"app\",worker=\"1\"} 7\n";
  for (int i = 0; i < 7; ++i) get(app_port);
  EXPECT_TRUE(eventually([&] { return has(body(port, "/metrics"), connections); }, "they are counted"));

  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_TRUE(eventually([&] { return session.status("app")["workers"].size() == 1; }, "the old worker is gone"));

  const std::string metrics = body(port, "/metrics");
  EXPECT_TRUE(has(metrics, connections)) << metrics;
  EXPECT_TRUE(has(metrics, of_seat)) << metrics;
}

}  // namespace
}  // namespace muster::test
