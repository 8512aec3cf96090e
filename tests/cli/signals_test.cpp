// SPDX-License-Identifier: MIT
// What signals do to a primary and its workers.

#include <signal.h>

#include <optional>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

// Answers when a file is there; says when it was asked.
std::string slow_js(int port, const std::string& go) {
  return fmt::format(
      "const fs = require('fs');\n"
      "require('http').createServer((request, response) => {{\n"
      "  console.log('asked');\n"
      "  const wait = setInterval(() => {{ if (fs.existsSync('{}')) {{ clearInterval(wait); response.end('answered'); }} }}, "
      "5);\n"
      "}}).listen({}, '127.0.0.1');\n",
      go, port);
}

struct Signals : testing::Test {
  void start(std::vector<std::string> flags) {
    session.write("app.js", slow_js(port, session.file("go")));
    flags.insert(flags.begin(), "run");
    flags.emplace_back("app.js");
    muster.emplace(session, Launch{.words = std::move(flags)});
    muster->line(" ready on ");
  }
  Session session;
  int port = free_port();
  std::optional<Running> muster;
};

TEST_F(Signals, SIGTERMLetsARequestEnd) {
  start({});
  Connection connection(port);
  connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  muster->line("asked");
  muster->signal(SIGTERM);
  muster->line("stopping");
  EXPECT_TRUE(eventually([&] { return get(port) == "refused"; }, "the port is closed"));
  session.write("go", "");
  EXPECT_EQ(body_of(connection.response()), "answered");
  EXPECT_EQ(muster->exit_code(), 0);
  EXPECT_TRUE(session.temporary_files().empty());
}

TEST_F(Signals, ASecondSIGTERMDoesNotWait) {
  start({});
  Connection connection(port);
  connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  muster->line("asked");
  muster->signal(SIGTERM);
  muster->line("stopping");
  muster->signal(SIGTERM);
  EXPECT_EQ(muster->exit_code(), 0);
}

TEST_F(Signals, SIGINTDoesNotWait) {
  start({});
  Connection connection(port);
  connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  muster->line("asked");
  muster->signal(SIGINT);
  EXPECT_EQ(muster->exit_code(), 0);
}

TEST_F(Signals, ASecondSIGHUPIsNotPassedOver) {
  start({});
  session.write("app.js", "setInterval(() => {}, 1000);\n");
  muster->signal(SIGHUP);
  muster->line("reloading");
  muster->signal(SIGHUP);
  muster->line("cannot reload: a reload is under way");
  muster->signal(SIGINT);
  EXPECT_EQ(muster->exit_code(), 0);
}

TEST_F(Signals, SIGTTINAndSIGTTOUScale) {
  start({});
  muster->signal(SIGTTIN);
  muster->line("scaling to 2 workers");
  muster->line("worker 2");
  EXPECT_EQ(session.workers("app").size(), 2U);
  muster->signal(SIGTTOU);
  muster->line("scaling to 1 worker");
  EXPECT_TRUE(eventually([&] { return session.status("app")["workers"].size() == 1; }, "one is left"));
  muster->signal(SIGTTOU);
  session.status("app");
  EXPECT_EQ(session.workers("app").size(), 1U);
}

TEST_F(Signals, WorkersEndWhenThePrimaryIsKilled) {
  start({"-n", "2"});
  const auto workers = session.workers("app");
  ASSERT_EQ(workers.size(), 2U);
  muster->signal(SIGKILL);
  for (const int pid : workers) EXPECT_TRUE(gone(pid));
  // Its last thread has the port.
  EXPECT_TRUE(gone(muster->pid()));
  EXPECT_EQ(get(port), "refused");
}

TEST(SignalsOfWorkers, WhoIgnoresSIGTERMIsKilled) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "''",
                                    "process.on('SIGTERM', () => console.log('I will not'));"
                                    "process.on('disconnect', () => {}); setInterval(() => {}, 1000);"));
  Running muster(session, {.words = {"run", "--drain-timeout", "200ms", "--kill-timeout", "200ms", "app.js"}});
  muster.line(" ready on ");
  const int worker = session.workers("app").at(0);
  muster.signal(SIGTERM);
  muster.line("I will not");
  EXPECT_EQ(muster.exit_code(), 0);
  EXPECT_FALSE(is_alive(worker));
}

TEST(SignalsOfWorkers, DoNotComeFromATerminalTwice) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "''", "process.on('SIGINT', () => console.log('interrupted'));"));
  // The whole group gets it, as from a key.
  Running muster(session, {.words = {"run", "-n", "2", "--kill-timeout", "300ms", "app.js"}, .before = {"setsid"}});
  muster.line("2 workers are ready");
  kill(-muster.pid(), SIGINT);
  EXPECT_EQ(muster.exit_code(), 0);
  EXPECT_FALSE(has(muster.output(), "crashed")) << muster.output();
}

TEST(SignalsOfWorkers, StopOfAnAppThatWaitsForItsNextTry) {
  Session session;
  session.write("app.js", "require('http').createServer().listen(0, () => setTimeout(() => process.exit(1), 20));\n");
  Running muster(session, {.words = {"run", "--backoff", "1h", "--max-backoff", "2h", "app.js"}});
  muster.line("restarts after ");
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
}

TEST(SignalsOfWorkers, StopWhileNobodyIsThereToServeWhoWaits) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "process.exit(1)"));
  Running muster(session, {.words = {"run", "--backoff", "1h", "--max-backoff", "2h", "--kill-timeout", "300ms", "app.js"}});
  muster.line(" ready on ");
  EXPECT_EQ(get(port), "cut off");
  muster.line("is ready");
  EXPECT_EQ(get(port), "cut off");
  muster.line("restarts after ");
  Connection waiting(port);
  waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(waiting.connected());
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
  EXPECT_EQ(waiting.rest(), "");
}

}  // namespace
}  // namespace muster::test
