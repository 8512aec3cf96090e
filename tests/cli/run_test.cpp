// SPDX-License-Identifier: MIT
// `muster run`: what runs, what reaches it, and how it ends.

#include <signal.h>
#include <sys/stat.h>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

TEST(Run, AnswersFromEveryWorkerOfANodeServer) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "-n", "2", "app.js"}});
  EXPECT_TRUE(has(muster.line(" ready on "), fmt::format("2 workers are ready on tcp://127.0.0.1:{}", port)));
  EXPECT_EQ(gets(port, 20).size(), 2U);
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
  EXPECT_EQ(get(port), "refused");
  EXPECT_TRUE(session.temporary_files().empty());
}

TEST(Run, RunsAModule) {
  Session session;
  const int port = free_port();
  session.write("app.mjs", fmt::format("import http from 'http';\n"
                                       "http.createServer((q, s) => s.end(import.meta.url)).listen({}, '127.0.0.1');\n",
                                       port));
  Running muster(session, {.words = {"run", "app.mjs"}});
  muster.line(" ready on ");
  EXPECT_TRUE(has(get(port), "app.mjs"));
}

TEST(Run, RunsTheWorkerHalfOfAClusterProgram) {
  Session session;
  const int port = free_port();
  session.write("app.js", fmt::format("const cluster = require('cluster');\n"
                                      "if (cluster.isPrimary) {{ console.log('PRIMARY'); cluster.fork(); }}\n"
                                      "else require('http').createServer((q, s) => s.end('worker ' + cluster.worker.id))"
                                      ".listen({}, '127.0.0.1');\n",
                                      port));
  Running muster(session, {.words = {"run", "-n", "2", "app.js"}});
  muster.line("2 workers are ready");
  EXPECT_EQ(gets(port, 10).size(), 2U);
  EXPECT_FALSE(has(muster.output(), "PRIMARY"));
}

TEST(Run, RunsAProgramThatIsLinkedWithMuster) {
  Session session;
  const int port = free_port();
  Running muster(session,
                 {.words = {"run", "-n", "2", MUSTER_BINARY_DIR "/hello_http"}, .env = {{"PORT", std::to_string(port)}}});
  muster.line("2 workers are ready");
  EXPECT_EQ(get(port), "hello world\n");
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
}

TEST(Run, PassesOnWhatFollowsTheApp) {
  Session session;
  session.write("app.js",
                "console.log(JSON.stringify(process.argv.slice(2)) + process.env.GREETING + process.env.MUSTER_WORKER);\n"
                "require('http').createServer().listen(0);\n");
  Running muster(session, {.words = {"run", "--env", "GREETING=hello there", "app.js", "-n", "7", "--help", "--", "a b", ""}});
  EXPECT_TRUE(has(muster.line("app/1 | ["), R"(["-n","7","--help","--","a b",""]hello there1)")) << muster.output();
  muster.line("1 worker is ready");
}

TEST(Run, TakesAsManyWorkersAsItMayUseProcessors) {
  Session session;
  session.write("app.js", server_js(0));
  Running muster(session, {.words = {"run", "-n", "max", "app.js"}, .before = {"taskset", "-c", "0"}});
  muster.line("1 worker is ready");
}

TEST(Run, TakesAllTheDescriptorsItMayHave) {
  Session session;
  Running muster(
      session,
      {.words = {"-c", fmt::format("ulimit -S -n 64; ulimit -H -n 1000; exec {}/muster run --listen unix:{} --ready-delay 1ms "
                                   "sh -c 'ulimit -S -n; exec sleep 100'",
                                   MUSTER_BINARY_DIR, session.file("a.sock"))},
       .program = "/bin/bash"});
  EXPECT_TRUE(has(muster.line("sh/1 | 1"), "sh/1 | 1000"));
}

TEST(Run, RunsWhatListensOnNothing) {
  Session session;
  session.write("idle.js",
                "setInterval(() => {}, 1000); process.on('SIGTERM', () => { console.log('finished'); process.exit(); });"
                "console.log('works');\n");
  Running muster(session, {.words = {"run", "--ready", "delay", "--ready-delay", "100ms", "idle.js"}});
  // It may be called ready before it has come so far.
  muster.line("idle/1 | works");
  EXPECT_TRUE(eventually([&] { return session.status("idle")["state"] == "running"; }, "it is ready"));
  EXPECT_EQ(session.run({"reload", "idle"}).code, 0);
  muster.line("idle/1 | finished");
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
}

TEST(Run, EndsWith1WhenNoWorkerIsEverReady) {
  Session session;
  session.write("app.js", "console.error('the database is not there'); process.exit(7);\n");
  const Ended ended = session.run({"run", "--backoff", "1ms", "app.js"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(has(ended.err, "muster: no worker ever became ready")) << ended.all();
  EXPECT_TRUE(has(ended.err, "exit code 7")) << ended.all();
  EXPECT_TRUE(has(ended.err.substr(ended.err.rfind("muster: ")), "the database is not there")) << ended.all();
  EXPECT_TRUE(session.temporary_files().empty());
}

TEST(Run, EndsWith1WhenNoWorkerListensInTime) {
  Session session;
  session.write("app.js", "setInterval(() => {}, 1000);\n");
  const Ended ended = session.run({"run", "--backoff", "1ms", "--ready-timeout", "200ms", "app.js"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(has(ended.err, "was not ready within 200 ms")) << ended.all();
  EXPECT_TRUE(has(ended.err, "--ready delay")) << ended.all();
}

TEST(Run, EndsWith3WhenItHasWorkedAndThenSpendsItsBudget) {
  Session session;
  session.write("app.js", "require('http').createServer().listen(0, () => setTimeout(() => process.exit(9), 20));\n");
  const Ended ended = session.run({"run", "--backoff", "1ms", "--max-restarts", "2", "app.js"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_TRUE(has(ended.err, "more than 2 restarts")) << ended.all();
  EXPECT_TRUE(has(ended.err, "exit code 9")) << ended.all();
}

TEST(Run, EndsWith2WhenItIsUsedWrongly) {
  Session session;
  session.write("app.js", server_js(0));
  EXPECT_EQ(session.run({"run"}).code, 2);
  EXPECT_EQ(session.run({"run", "--workers", "many", "app.js"}).code, 2);
  EXPECT_EQ(session.run({"run", "--no-such-flag", "app.js"}).code, 2);
  EXPECT_EQ(session.run({"rum", "app.js"}).code, 2);
  EXPECT_EQ(session.run(std::vector<std::string>{}).code, 2);
}

TEST(Run, SaysWhichAppIsMissing) {
  Session session;
  const Ended ended = session.run({"run", "nothing_here.js"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_TRUE(has(ended.err, "nothing_here.js")) << ended.all();
}

TEST(Run, SaysWhichInterpreterIsMissing) {
  Session session;
  session.write("app.js", server_js(0));
  const Ended ended = session.run({"run", "--interpreter", "no-such-node", "app.js"});
  EXPECT_NE(ended.code, 0);
  EXPECT_TRUE(has(ended.err, "no-such-node")) << ended.all();
}

TEST(Run, SaysThatAProgramMayNotBeRun) {
  Session session;
  session.write("app.bin",
                "\x7f"
                "ELF not really");
  chmod(session.file("app.bin").c_str(), 0644);
  const Ended ended = session.run({"run", "--backoff", "1ms", "./app.bin"});
  EXPECT_NE(ended.code, 0);
  EXPECT_TRUE(has(ended.err, "app.bin")) << ended.all();
}

TEST(Run, UsesTheInterpreterThatIsNamed) {
  Session session;
  session.write("app.txt", server_js(0, "''", "console.log('flag is ' + process.execArgv.includes('--no-warnings'));"));
  Running muster(session, {.words = {"run", "--interpreter", "node", "--interpreter-args", "--no-warnings", "app.txt"}});
  muster.line("flag is true");
  muster.line("1 worker is ready");
}

TEST(Run, RunsAFileThatIsTheScriptOfAnInterpreter) {
  Session session;
  const std::string path = session.write("app", "#!/usr/bin/env node\n" + server_js(0));
  chmod(path.c_str(), 0755);
  Running muster(session, {.words = {"run", "./app"}});
  muster.line("1 worker is ready");
}

TEST(Run, KeepsServingWhenNobodyReadsItsOutputAnyMore) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "(console.log('a line'), 'fine')"));
  Running muster(session,
                 {.words = {"-c", fmt::format("{}/muster run app.js 2>&1 | head -n 2 >/dev/null; wait", MUSTER_BINARY_DIR)},
                  .program = "/bin/bash"});
  eventually([&] { return get(port) == "fine"; }, "it answers");
  for (int i = 0; i < 20; ++i) ASSERT_EQ(get(port), "fine");
  EXPECT_EQ(session.status("app")["workers"].size(), 1U);
}

// It hears nothing on its channel, so nothing would come of waiting for it.
TEST(Run, AsksAProgramThatSpeaksNoProtocolToEndByASignal) {
  Session session;
  session.write("app.py",
                "import signal, socket, sys\n"
                "def end(number, frame): print('asked', flush=True); sys.exit(0)\n"
                "signal.signal(signal.SIGTERM, end)\n"
                "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n"
                "while True: s.accept()\n");
  Running muster(session, {.words = {"run", "--drain-timeout", "1h", "--interpreter", "python3", "app.py"}});
  muster.line("1 worker is ready");
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  muster.line("asked");
  muster.signal(SIGTERM);
  muster.line("asked");
  EXPECT_EQ(muster.exit_code(), 0);
}

TEST(Run, LeavesNoDescriptorsOrZombiesOfOneHundredWorkersThatDied) {
  Session session;
  Running muster(session, {.words = {"run", "--listen", fmt::format("unix:{}", session.file("a.sock")), "--ready-delay", "1ms",
                                     "--backoff", "1ms", "--max-backoff", "2ms", "--max-restarts", "100000", "--name", "app",
                                     "sh", "-c", "sleep 0.01; exit 1"}});
  muster.lines("crashed", 5);
  const auto before = open_descriptors(muster.pid());
  muster.lines("crashed", 100);
  EXPECT_LE(open_descriptors(muster.pid()), before + 4);
  int zombies = 0;
  for (const int child : children_of(muster.pid())) zombies += process_state(child) == 'Z';
  EXPECT_LE(zombies, 1);
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
  EXPECT_TRUE(session.temporary_files().empty());
}

}  // namespace
}  // namespace muster::test
