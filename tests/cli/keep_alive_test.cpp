// SPDX-License-Identifier: MIT
// Workers that end, hang, grow or are old, and what is done about it.

#include <signal.h>
#include <sys/stat.h>

#include <sstream>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

TEST(KeepAlive, StartsAgainWhatWasKilled) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "--backoff", "10ms", "app.js"}});
  muster.line("1 worker is ready");
  const int first = std::stoi(get(port));
  kill(first, SIGKILL);
  EXPECT_TRUE(has(muster.line("crashed"), fmt::format("worker 1 (pid {}) crashed after ", first)));
  // The port outlives its worker: nobody is refused meanwhile.
  const int second = std::stoi(get(port));
  EXPECT_NE(second, first);
  const auto status = session.status("app");
  EXPECT_EQ(status["restarts"], 1);
  EXPECT_EQ(status["obituaries"][0]["signal"], "SIGKILL");
  EXPECT_TRUE(has(session.run({"why", "app"}).out, "SIGKILL"));
}

TEST(KeepAlive, WaitsLongerEachTime) {
  Session session;
  session.write("app.js", "require('http').createServer().listen(0, () => setTimeout(() => process.exit(1), 30));\n");
  Running muster(session, {.words = {"run", "--backoff", "20ms", "--max-restarts", "4", "app.js"}});
  EXPECT_EQ(muster.exit_code(), 3);
  std::vector<int> waits;
  std::istringstream lines(muster.output());
  for (std::string line; std::getline(lines, line);) {
    if (const auto at = line.find("restarts after "); at != std::string::npos)
      waits.push_back(std::atoi(line.c_str() + at + 15));
  }
  // The first time at once; and of each wait, half is left to chance.
  ASSERT_EQ(waits.size(), 3U) << muster.output();
  EXPECT_GE(waits[0], 10);
  EXPECT_LE(waits[0], 20);
  EXPECT_GE(waits[2], 40);
}

TEST(KeepAlive, BelievesAMessageThatItIsReady) {
  Session session;
  session.write("app.js",
                "require('http').createServer().listen(0, () => console.log('listens'));\n"
                "process.on('SIGUSR2', () => process.send('ready'));\nconsole.log('pid ' + process.pid);\n");
  Running muster(session, {.words = {"run", "--ready", "message", "app.js"}});
  const std::string said = muster.line("pid ");
  muster.line("listens");
  EXPECT_EQ(session.workers("app").size(), 0U);
  kill(std::stoi(said.substr(said.rfind(' '))), SIGUSR2);
  muster.line("1 worker is ready");
}

TEST(KeepAlive, BelievesAProgramThatNotifies) {
  Session session;
  session.write("app.py",
                "import os, socket, signal\n"
                "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
                "def ready(*_): s.sendto(b'STATUS=well\\nREADY=1', os.environ['NOTIFY_SOCKET'])\n"
                "signal.signal(signal.SIGUSR2, ready)\n"
                "print('pid', os.getpid(), flush=True)\n"
                "while True: signal.pause()\n");
  Running muster(session, {.words = {"run", "--ready", "notify", "--listen", "unix:" + session.file("a.sock"), "--interpreter",
                                     "python3", "app.py"}});
  const std::string said = muster.line("| pid ");
  EXPECT_EQ(session.workers("app").size(), 0U);
  kill(std::stoi(said.substr(said.rfind(' '))), SIGUSR2);
  muster.line("1 worker is ready");
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
}

TEST(KeepAlive, ReplacesAWorkerThatGrowsWithoutLosingARequest) {
  Session session;
  const int port = free_port();
  session.write("app.js",
                server_js(port, "(request.url === '/grow' && keep.push(Buffer.alloc(120 << 20, 1)), String(process.pid))",
                          "const keep = [];"));
  Running muster(session, {.words = {"run", "--max-memory", "150M", "app.js"}});
  muster.line("1 worker is ready");
  const std::string first = get(port, "/grow");
  std::string answer;
  EXPECT_TRUE(eventually(
      [&] {
        answer = get(port);
        EXPECT_NE(answer, "refused");
        EXPECT_NE(answer, "cut off");
        return answer != first || testing::Test::HasFailure();
      },
      "another answers"));
  EXPECT_TRUE(has(muster.line("memory"), "replaced by pid " + answer)) << muster.output();
  const auto obituary = session.status("app")["obituaries"][0];
  EXPECT_EQ(obituary["cause"], "memory");
  EXPECT_TRUE(has(obituary["detail"].get<std::string>(), "of 150")) << obituary;
}

TEST(KeepAlive, ReplacesAWorkerThatHasAnsweredEnough) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "--max-requests", "5", "app.js"}});
  muster.line("1 worker is ready");
  const std::string first = get(port);
  EXPECT_TRUE(eventually(
      [&] {
        const std::string answer = get(port);
        EXPECT_NE(answer, "refused");
        EXPECT_NE(answer, "cut off");
        return answer != first || testing::Test::HasFailure();
      },
      "another answers"));
  muster.line("requests");
  EXPECT_TRUE(has(session.run({"why", "app"}).out, "answered ")) << session.run({"why", "app"}).out;
}

TEST(KeepAlive, ReplacesAWorkerThatIsOld) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "--max-age", "300ms", "app.js"}});
  muster.line("1 worker is ready");
  const std::string first = get(port);
  muster.line(fmt::format("(pid {}) reached its maximum age", first));
  EXPECT_NE(get(port), first);
}

TEST(KeepAlive, GivesUpWhenNobodyIsReadyAnyMoreEither) {
  Session session;
  // It starts once, and never again.
  session.write(
      "app.js",
      fmt::format("const fs = require('fs');\nif (fs.existsSync('{0}')) {{ console.error('once only'); process.exit(5); }}\n"
                  "fs.writeFileSync('{0}', '');\n"
                  "require('http').createServer().listen(0, () => setTimeout(() => process.exit(0), 50));\n",
                  session.file("was.here")));
  const Ended ended = session.run({"run", "--backoff", "1ms", "--max-restarts", "3", "app.js"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_TRUE(has(ended.err, ": exit code 0; restarts at once")) << ended.all();
  EXPECT_TRUE(has(ended.err, ": exit code 5")) << ended.all();
  EXPECT_TRUE(has(ended.err.substr(ended.err.rfind("muster: ")), "once only")) << ended.all();
}

}  // namespace
}  // namespace muster::test
