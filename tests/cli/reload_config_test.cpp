// SPDX-License-Identifier: MIT
// `muster reload`: new code, another configuration, and what happens when they are no good.

#include <signal.h>

#include <filesystem>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

TEST(Reload, ServesTheNewCode) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "'old'"));
  Running muster(session, {.words = {"run", "-n", "2", "app.js"}});
  muster.line("2 workers are ready");
  EXPECT_EQ(get(port), "old");
  session.write("app.js", server_js(port, "'new'"));
  const Ended reloaded = session.run({"reload", "app"});
  EXPECT_EQ(reloaded.code, 0) << reloaded.all();
  EXPECT_TRUE(has(reloaded.out, "app: 2 workers replaced in ")) << reloaded.all();
  EXPECT_EQ(gets(port, 8), (std::map<std::string, int>{{"new", 8}}));
}

TEST(Reload, LosesNoRequestAndRefusesNobody) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "-n", "2", "app.js"}});
  muster.line("2 workers are ready");
  Running reloading(session, {.words = {"reload", "app"}});
  int asked = 0;
  while (reloading.alive()) {
    const std::string answer = get(port);
    ASSERT_NE(answer, "refused") << asked;
    ASSERT_NE(answer, "cut off") << asked;
    ++asked;
  }
  EXPECT_EQ(reloading.exit_code(), 0);
  EXPECT_GT(asked, 0);
}

TEST(Reload, IsAbandonedWhenTheNewVersionDoesNotStart) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "'old ' + process.pid"));
  Running muster(session, {.words = {"run", "-n", "2", "app.js"}});
  muster.line("2 workers are ready");
  const auto before = session.workers("app");
  session.write("app.js", "throw new Error('this release is broken');\n");
  const Ended reloaded = session.run({"reload", "app"});
  EXPECT_EQ(reloaded.code, 1);
  EXPECT_TRUE(has(reloaded.err, "ended before it was ready, exit code 1")) << reloaded.all();
  EXPECT_TRUE(has(reloaded.err, "this release is broken")) << reloaded.all();
  EXPECT_EQ(session.workers("app"), before);
  for (const auto& [answer, times] : gets(port, 8)) EXPECT_TRUE(answer.starts_with("old ")) << answer;
  EXPECT_TRUE(has(session.run({"why", "app"}).out, "this release is broken"));
  const Ended json = session.run({"reload", "app", "--json"});
  EXPECT_EQ(json.code, 1);
  EXPECT_EQ(json.json()["ok"], false);
  // And once it is mended, it goes.
  session.write("app.js", server_js(port, "'mended'"));
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_EQ(get(port), "mended");
}

TEST(Reload, IsAbandonedWhenTheNewVersionIsNeverReady) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "'old'"));
  session.write("muster.toml", "name = \"app\"\napp = \"app.js\"\n");
  Running muster(session, {.words = {"run"}});
  muster.line("1 worker is ready");
  // The old version was given all the time it needed.
  session.write("muster.toml", "name = \"app\"\napp = \"app.js\"\nready_timeout = \"400ms\"\n");
  session.write("app.js", "setInterval(() => {}, 1000);\n");
  const Ended reloaded = session.run({"reload", "app"});
  EXPECT_EQ(reloaded.code, 1);
  EXPECT_TRUE(has(reloaded.err, "was not ready within 400 ms")) << reloaded.all();
  EXPECT_EQ(get(port), "old");
}

struct ReloadOfAFile : testing::Test {
  void configure(const std::string& more) const { session.write("muster.toml", "name = \"app\"\napp = \"app.js\"\n" + more); }
  Session session;
  int port = free_port();
};

TEST_F(ReloadOfAFile, AppliesWhatHasChangedInIt) {
  session.write("app.js", server_js(port, "process.env.COLOUR"));
  configure("workers = 1\n[env]\nCOLOUR = \"green\"\n");
  Running muster(session, {.words = {"run"}});
  muster.line("1 worker is ready");
  EXPECT_EQ(get(port), "green");
  configure("workers = 3\n[env]\nCOLOUR = \"blue\"\n");
  const Ended reloaded = session.run({"reload", "app"});
  EXPECT_EQ(reloaded.code, 0) << reloaded.all();
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 3; }, "there are three"));
  EXPECT_EQ(gets(port, 9), (std::map<std::string, int>{{"blue", 9}}));
  configure("workers = 1\n[env]\nCOLOUR = \"red\"\n");
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_TRUE(eventually([&] { return session.status("app")["workers"].size() == 1; }, "there is one"));
  EXPECT_EQ(get(port), "red");
}

TEST_F(ReloadOfAFile, IsRefusedWhenItIsBroken) {
  session.write("app.js", server_js(port, "'old'"));
  configure("workers = 1\n");
  Running muster(session, {.words = {"run"}});
  muster.line("1 worker is ready");
  const auto before = session.workers("app");
  for (const char* broken : {"workers = \"some\"\n", "wrokers = 2\n", "workers = [\n", "cwd = \"/no/such/folder\"\n"}) {
    configure(broken);
    const Ended reloaded = session.run({"reload", "app"});
    EXPECT_EQ(reloaded.code, 1) << broken;
    EXPECT_TRUE(has(reloaded.err, "cannot reload: ")) << reloaded.all();
    EXPECT_TRUE(has(reloaded.err, "muster.toml")) << reloaded.all();
  }
  std::filesystem::remove(session.file("muster.toml"));
  EXPECT_EQ(session.run({"reload", "app"}).code, 1);
  configure("name = \"another\"\n");
  EXPECT_EQ(session.run({"reload", "app"}).code, 1);
  EXPECT_EQ(session.workers("app"), before);
  EXPECT_EQ(get(port), "old");
}

TEST(Reload, OfAFileThatCannotBeEndsNobody) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "'old'"));
  const auto configure = [&](const std::string& rest) {
    session.write("e.config.json", R"({"apps": [{"script": "app.js", "name": "app")" + rest + "}]}");
  };
  configure("");
  ASSERT_EQ(session.run({"start", "e.config.json"}).code, 0);
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "[";
  for (const std::string& rest : {std::string(", \"kill_timeout\": 1e400"), ", \"env\": " + deep, ", \"args\": " + deep}) {
    configure(rest);
    EXPECT_EQ(session.run({"reload", "app"}).code, 1);
    EXPECT_EQ(session.run({"check", "e.config.json"}).code, 2);
  }
  EXPECT_EQ(get(port), "old");
}

TEST_F(ReloadOfAFile, SaysWhatItDoesNotChange) {
  session.write("app.js", server_js(port));
  configure("workers = 1\n");
  Running muster(session, {.words = {"run"}});
  muster.line("1 worker is ready");
  configure("workers = 1\nlog_file = \"a.log\"\nadmin = \"127.0.0.1:1\"\n");
  const Ended reloaded = session.run({"reload", "app"});
  EXPECT_EQ(reloaded.code, 0);
  EXPECT_TRUE(has(reloaded.out, "muster upgrade is needed for log_file, admin")) << reloaded.all();
}

TEST_F(ReloadOfAFile, IsTakenBackWhenItIsAbandoned) {
  session.write("app.js", server_js(port, "process.env.COLOUR", "if (process.env.COLOUR === 'bad') process.exit(4);"));
  configure("workers = 1\n[env]\nCOLOUR = \"green\"\n");
  Running muster(session, {.words = {"run", "--backoff", "10ms"}});
  muster.line("1 worker is ready");
  configure("workers = 2\n[env]\nCOLOUR = \"bad\"\n");
  EXPECT_EQ(session.run({"reload", "app"}).code, 1);
  // What is started now is of the old configuration.
  kill(session.workers("app").at(0), SIGKILL);
  muster.line("crashed");
  EXPECT_EQ(get(port), "green");
  // And the number that was not applied is still news.
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 1; }));
  configure("workers = 2\n[env]\nCOLOUR = \"good\"\n");
  const Ended reloaded = session.run({"reload", "app"});
  EXPECT_EQ(reloaded.code, 0) << reloaded.all();
  EXPECT_EQ(get(port), "good");
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 2; }, "there are two"));
}

TEST_F(ReloadOfAFile, KeepsWhatScaleSaid) {
  session.write("app.js", server_js(port));
  configure("workers = 1\n");
  Running muster(session, {.words = {"run"}});
  muster.line("1 worker is ready");
  EXPECT_EQ(session.run({"scale", "app", "2"}).code, 0);
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_EQ(session.workers("app").size(), 2U);
}

TEST(Reload, RefusesASecondOneMeanwhile) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "app.js"}});
  muster.line("1 worker is ready");
  // It takes until the test says so.
  session.write(
      "app.js",
      fmt::format(
          "const wait = setInterval(() => {{ if (require('fs').existsSync('{}')) {{ clearInterval(wait); go(); }} }}, 5);\n"
          "function go() {{ {} }}\n",
          session.file("go"), server_js(port, "'new'")));
  Running first(session, {.words = {"reload", "app"}});
  muster.line("reloading");
  const Ended second = session.run({"reload", "app"});
  EXPECT_EQ(second.code, 1);
  EXPECT_TRUE(has(second.err, "a reload is under way")) << second.all();
  for (const auto& words : std::vector<std::vector<std::string>>{{"scale", "app", "2"}, {"restart", "app"}}) {
    const Ended other = session.run(words);
    EXPECT_EQ(other.code, 1);
    EXPECT_TRUE(has(other.err, "a reload is under way")) << other.all();
  }
  session.write("go", "");
  EXPECT_EQ(first.exit_code(), 0);
  EXPECT_EQ(get(port), "new");
}

TEST(Reload, TellsOneThatWaitsWhenTheAppIsStopped) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "--kill-timeout", "200ms", "app.js"}});
  muster.line("1 worker is ready");
  session.write("app.js", "setInterval(() => {}, 1000);\n");
  Running reload(session, {.words = {"reload", "app"}});
  muster.line("reloading");
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  EXPECT_EQ(reload.exit_code(), 1);
  EXPECT_TRUE(has(reload.output(), "the app was stopped")) << reload.output();
  EXPECT_EQ(muster.exit_code(), 0);
}

TEST(Reload, IsWhatSIGHUPDoes) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "'old'"));
  Running muster(session, {.words = {"run", "app.js"}});
  muster.line("1 worker is ready");
  session.write("app.js", server_js(port, "'new'"));
  muster.signal(SIGHUP);
  muster.line("reload: 1 worker replaced in ");
  EXPECT_EQ(get(port), "new");
}

// Answers in two parts, the second when it is told by a file.
std::string streaming_js(int port, const std::string& go) {
  return fmt::format(
      "const fs = require('fs');\n"
      "require('http').createServer((request, response) => {{\n"
      "  if (request.url !== '/stream') return response.end(String(process.pid));\n"
      "  response.write('begin;');\n"
      "  const wait = setInterval(() => {{ if (fs.existsSync('{}')) {{ clearInterval(wait); response.end('end;'); }} }}, 5);\n"
      "}}).listen({}, '127.0.0.1');\n",
      go, port);
}

TEST(Reload, WaitsForAResponseThatIsUnderWay) {
  Session session;
  const int port = free_port();
  session.write("app.js", streaming_js(port, session.file("go")));
  Running muster(session, {.words = {"run", "app.js"}});
  muster.line("1 worker is ready");
  const int old = session.workers("app").at(0);
  Connection connection(port);
  connection.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  connection.until("begin;");
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_NE(get(port), std::to_string(old));
  EXPECT_TRUE(is_alive(old));
  session.write("go", "");
  EXPECT_TRUE(has(connection.until("0\r\n\r\n"), "end;"));
  // It ends with the connection, which is one that would have stayed open.
  EXPECT_TRUE(gone(old));
}

TEST(Reload, WaitsNoLongerThanTheDrainTimeout) {
  Session session;
  const int port = free_port();
  session.write("app.js", streaming_js(port, session.file("go")));
  Running muster(session, {.words = {"run", "--drain-timeout", "300ms", "--kill-timeout", "200ms", "app.js"}});
  muster.line("1 worker is ready");
  const int old = session.workers("app").at(0);
  Connection connection(port);
  connection.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  connection.until("begin;");
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_TRUE(gone(old));
  EXPECT_FALSE(has(connection.rest(), "end;"));
  EXPECT_NE(get(port), "refused");
}

TEST(Reload, ClosesKeptConnectionsWithAnAnswerThatSaysSo) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "app.js"}});
  muster.line("1 worker is ready");
  Connection connection(port);
  connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string first = connection.response();
  EXPECT_TRUE(has(first, "Connection: keep-alive")) << first;
  const std::string old = body_of(first);
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  // The old worker was told, and may not have heard yet.
  std::string last = first;
  while (has(last, "Connection: keep-alive")) {
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    last = connection.response();
  }
  EXPECT_TRUE(has(last, "Connection: close")) << last;
  EXPECT_EQ(body_of(last), old);
  EXPECT_EQ(connection.rest(), "");
  EXPECT_TRUE(connection.whole());
  EXPECT_TRUE(gone(std::stoi(old)));
}

TEST(Reload, OfAnAppThatStartsIsRefused) {
  Session session;
  session.write("app.js", "setInterval(() => {}, 1000);\n");
  Running muster(session, {.words = {"run", "--kill-timeout", "100ms", "app.js"}});
  EXPECT_TRUE(eventually([&] { return session.status("app").is_object(); }, "it can be asked"));
  const Ended reloaded = session.run({"reload", "app"});
  EXPECT_EQ(reloaded.code, 1);
  EXPECT_TRUE(has(reloaded.err, "it is starting")) << reloaded.all();
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
}

}  // namespace
}  // namespace muster::test
