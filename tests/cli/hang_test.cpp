// SPDX-License-Identifier: MIT
// Workers that live and do nothing.

#include <signal.h>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

TEST(Hang, OfALoopThatNeverEndsIsFoundAndItsStackIsTold) {
  Session session;
  const int port = free_port();
  session.write("app.js",
                server_js(port, "(request.url === '/hang' ? turnForever() : 'fine')", "function turnForever() { for (;;); }"));
  Running muster(session, {.words = {"run", "--heartbeat", "1s", "--backoff", "10ms", "app.js"}});
  muster.line("1 worker is ready");
  const int hung = session.workers("app").at(0);
  Connection connection(port);
  connection.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(has(muster.line("hangs"), fmt::format("worker 1 (pid {}) hangs: nothing was heard of it for ", hung)));
  muster.line("hung");
  EXPECT_TRUE(gone(hung));
  muster.line("is ready");
  EXPECT_EQ(get(port), "fine");
  const Ended why = session.run({"why", "app"});
  EXPECT_TRUE(has(why.out, "heard of it for")) << why.out;
  // Where it may be looked at, which needs one of two programs.
  EXPECT_TRUE(has(why.out, "#0")) << why.out;
}

TEST(Hang, OfAProcessThatWasStoppedIsFound) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "-n", "2", "--heartbeat", "1s", "--backoff", "10ms", "app.js"}});
  muster.line("2 workers are ready");
  const auto before = session.workers("app");
  ASSERT_EQ(before.size(), 2U);
  kill(before[0], SIGSTOP);
  muster.line(fmt::format("(pid {}) hangs", before[0]));
  EXPECT_TRUE(gone(before[0]));
  muster.line("is ready");
  EXPECT_EQ(gets(port, 12).size(), 2U);
}

TEST(Hang, OfAWorkerThatIsToGoIsEndedByItsTimes) {
  Session session;
  session.write("app.js", server_js(0));
  Running muster(session, {.words = {"run", "-n", "2", "--heartbeat", "0", "--drain-timeout", "200ms", "--kill-timeout",
                                     "200ms", "app.js"}});
  muster.line("2 workers are ready");
  const auto pids = session.workers("app");
  kill(pids.at(0), SIGSTOP);
  const Ended reloaded = session.run({"reload", "app"});
  EXPECT_EQ(reloaded.code, 0) << reloaded.all();
  for (const int pid : pids) EXPECT_TRUE(gone(pid));
}

}  // namespace
}  // namespace muster::test
