// SPDX-License-Identifier: MIT
// Apps in the background, and the commands that speak to them: of those that run, have stopped, have failed, have crashed, and
// never were.

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

TEST(Start, ReturnsWhenEveryWorkerIsReady) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  const Ended started = session.run({"start", "-n", "2", "app.js"});
  EXPECT_EQ(started.code, 0) << started.all();
  EXPECT_TRUE(has(started.out, fmt::format("app: 2 workers are ready on tcp://127.0.0.1:{} (pid ", port))) << started.all();
  EXPECT_EQ(gets(port, 10).size(), 2U);
  const Ended stopped = session.run({"stop", "app"});
  EXPECT_EQ(stopped.code, 0);
  EXPECT_EQ(stopped.out, "app: stopped\n");
  EXPECT_EQ(get(port), "refused");
  EXPECT_TRUE(session.temporary_files().empty());
  EXPECT_NE(access(session.runtime("app.sock").c_str(), F_OK), 0);
  EXPECT_NE(access(session.runtime("app.lock").c_str(), F_OK), 0);
}

TEST(Start, TellsInJsonWhatItHasStarted) {
  Session session;
  session.write("app.js", server_js(0));
  const Ended started = session.run({"start", "--json", "app.js"});
  EXPECT_EQ(started.code, 0);
  const auto json = started.json();
  ASSERT_EQ(json.size(), 1U) << started.out;
  EXPECT_EQ(json[0]["name"], "app");
  EXPECT_EQ(json[0]["ok"], true);
  EXPECT_TRUE(is_alive(json[0]["pid"]));
}

TEST(Start, SaysWhyAnAppDoesNotStart) {
  Session session;
  session.write("app.js", "throw new Error('no such table: users');\n");
  const Ended started = session.run({"start", "--backoff", "1ms", "app.js"});
  EXPECT_EQ(started.code, 1);
  EXPECT_TRUE(has(started.err, "muster: app: no worker ever became ready")) << started.all();
  EXPECT_TRUE(has(started.err, "no such table: users")) << started.all();
  EXPECT_EQ(session.status("app"), nullptr);
  const Ended listed = session.run({"list"});
  EXPECT_TRUE(has(listed.out, "failed")) << listed.all();
  const Ended why = session.run({"why", "app"});
  EXPECT_EQ(why.code, 0);
  EXPECT_TRUE(has(why.out, "no such table: users")) << why.all();
}

TEST(Start, FindsTheAppAgainByItsName) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "process.env.COLOUR"));
  ASSERT_EQ(session.run({"start", "--name", "api", "--env", "COLOUR=green", "app.js"}).code, 0);
  EXPECT_EQ(get(port), "green");
  ASSERT_EQ(session.run({"stop", "api"}).code, 0);
  Launch elsewhere;
  elsewhere.words = {"start", "api"};
  elsewhere.cwd = "/";
  const Ended again = session.run(elsewhere);
  EXPECT_EQ(again.code, 0) << again.all();
  EXPECT_EQ(get(port), "green");
}

// The link that the shell has in its name is how the next release is found.
TEST(Start, KeepsTheNameOfTheFolder) {
  Session session;
  const int port = free_port();
  for (const char* release : {"first", "second"}) {
    std::filesystem::create_directory(session.file(release));
    session.write(std::string(release) + "/app.js", server_js(port, std::string("'") + release + "'"));
  }
  std::filesystem::create_symlink("first", session.file("current"));
  const Launch start{.words = {"start", "app.js"}, .env = {{"PWD", session.file("current")}}, .cwd = session.file("current")};
  ASSERT_EQ(session.run(start).code, 0);
  EXPECT_EQ(get(port), "first");
  std::filesystem::remove(session.file("current"));
  std::filesystem::create_symlink("second", session.file("current"));
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_EQ(get(port), "second");
}

// What is above a link is above what it leads to, as it is for every program.
TEST(Start, FindsWhatIsAboveALinkedFolder) {
  Session session;
  for (const char* folder : {"releases/1", "releases/shared", "app/shared"})
    std::filesystem::create_directories(session.file(folder));
  session.write("releases/shared/app.js", server_js(0));
  session.write("app/shared/app.js", "throw new Error('the wrong file');\n");
  std::filesystem::create_directory_symlink(session.file("releases/1"), session.file("app/current"));
  const std::string current = session.file("app/current");

  const Ended shown =
      session.run({.words = {"check", "--json", "../shared/app.js"}, .env = {{"PWD", current}}, .cwd = current});

  EXPECT_EQ(shown.code, 0) << shown.all();
  EXPECT_TRUE(has(shown.out, session.file("releases/shared/app.js"))) << shown.all();
}

TEST(Start, BelievesNoNameOfAnotherFolder) {
  Session session;
  session.write("app.js", server_js(0));
  for (const std::string& name : {std::string("/"), std::string("."), session.path() + "/../" + session.path(), std::string(),
                                  std::string("/proc/self/cwd")}) {
    const Ended shown = session.run({.words = {"check", "--json", "app.js"}, .env = {{"PWD", name}}});
    EXPECT_EQ(shown.code, 0) << shown.all();
    EXPECT_TRUE(has(shown.out, session.file("app.js"))) << shown.all();
  }
}

TEST(Start, SaysThatItsOutputIsLost) {
  Session session;
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  const std::vector<std::vector<std::string>> commands{{"list"}, {"help"}, {"--version"}, {"top", "--once"}};
  for (const auto& words : commands) {
    Running muster(session, {.words = words, .output = full});
    EXPECT_EQ(muster.own_exit_code(), 1) << words[0];
  }
  // What is to be done is done all the same, for each app.
  session.write("app.js", server_js(0));
  for (const char* name : {"one", "two"}) ASSERT_EQ(session.run({"start", "--name", name, "app.js"}).code, 0);
  const std::vector<std::vector<std::string>> acts{{"reload", "all"}, {"stop", "all"}, {"delete", "one"}, {"delete", "two"}};
  for (const auto& words : acts) {
    Running muster(session, {.words = words, .output = full});
    EXPECT_EQ(muster.own_exit_code(), 1) << words[0];
  }
  EXPECT_EQ(session.run({"list", "--json"}).json(), nlohmann::json::array());
  close(full);
}

TEST(Start, HeedsSignalsThatWereBlocked) {
  Session session;
  session.write("app.js", server_js(0));
  Running muster(session, {.words = {"run", "app.js"}, .before = {"env", "--block-signal"}});
  muster.line("1 worker is ready");
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
}

TEST(Start, WaitsForNoReaderOfWhatShouldBeAFile) {
  Session session;
  session.write("app.js", server_js(0));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  ASSERT_EQ(session.run({"stop", "app"}).code, 0);
  for (const char* name : {"app.log", "app.json.new"}) {
    std::filesystem::remove(session.state(name));
    ASSERT_EQ(mkfifo(session.state(name).c_str(), 0600), 0);
    const Ended started = session.run({"start", "app.js"});
    const bool is_log = std::string_view(name) == "app.log";
    EXPECT_EQ(started.code, is_log ? 1 : 0) << started.all();
    EXPECT_EQ(has(started.err, "cannot open"), is_log) << started.all();
    std::filesystem::remove(session.state(name));
  }
}

// A variable, an argument and a path may be in any encoding.
TEST(Start, ChangesNoBytes) {
  Session session;
  const std::string bytes = "v\xff\xfe";
  session.write("app\xff.py",
                "import os, sys, socket\n"
                "with open('said', 'wb') as f:\n"
                "    f.write(os.environb[b'Q'] + b' ' + os.environb[b'N\\xfe'] + b' ' + os.fsencode(sys.argv[1]))\n"
                "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n"
                "while True: s.accept()\n");
  Launch launch;
  launch.words = {"start", "--name", "app", "--env", "Q=" + bytes, "--interpreter", "python3", "app\xff.py", bytes};
  launch.env = {{"N\xfe", bytes}};
  const Ended started = session.run(launch);
  EXPECT_EQ(started.code, 0) << started.all();
  EXPECT_EQ(session.read("said"), bytes + " " + bytes + " " + bytes);

  // And it is remembered so.
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  unlink(session.file("said").c_str());
  EXPECT_EQ(session.run({"start", "app"}).code, 0);
  EXPECT_EQ(session.read("said"), bytes + " " + bytes + " " + bytes);
}

TEST(Start, RefusesANameThatIsTaken) {
  Session session;
  session.write("app.js", server_js(0));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  const int pid = session.status("app")["pid"];
  const Ended second = session.run({"start", "app.js"});
  EXPECT_EQ(second.code, 1);
  EXPECT_TRUE(has(second.err, fmt::format("an app \"app\" runs already (pid {})", pid))) << second.all();
  const Ended foreground = session.run({"run", "app.js"});
  EXPECT_EQ(foreground.code, 1);
  EXPECT_TRUE(has(foreground.err, "runs already")) << foreground.all();
  // The one that runs was not disturbed.
  EXPECT_EQ(session.status("app")["pid"], pid);
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
}

TEST(Start, LetsOneOfTenWinThatStartAtTheSameMoment) {
  Session session;
  session.write("app.js", server_js(0));
  for (int round = 0; round < 2; ++round) {
    std::vector<Ended> ended(10);
    {
      std::vector<std::jthread> threads;
      for (Ended& one : ended) threads.emplace_back([&] { one = session.run({"start", "app.js"}); });
    }
    int winners = 0;
    for (const Ended& one : ended) {
      winners += one.code == 0;
      if (one.code != 0) {
        EXPECT_TRUE(has(one.err, "runs already")) << one.all();
      }
    }
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(session.workers("app").size(), 1U);
    EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  }
}

TEST(Start, StartsAgainAsOftenAsItIsStopped) {
  Session session;
  session.write("app.js", server_js(0));
  for (int round = 0; round < 4; ++round) {
    const Ended started = session.run({"start", "app.js"});
    ASSERT_EQ(started.code, 0) << started.all();
    ASSERT_EQ(session.run({"stop", "app"}).code, 0);
  }
}

// What an app is that its primary was taken from.
struct Crashed : testing::Test {
  Crashed() {
    session.write("app.js", server_js(port));
    EXPECT_EQ(session.run({"start", "-n", "2", "app.js"}).code, 0);
    const auto status = session.status("app");
    for (const auto& worker : status["workers"]) workers.push_back(worker["pid"]);
    primary = status["pid"];
    kill(primary, SIGKILL);
    EXPECT_TRUE(gone(primary));
  }
  Session session;
  int port = free_port();
  int primary = 0;
  std::vector<int> workers;
};

TEST_F(Crashed, LeavesNoWorkers) {
  ASSERT_EQ(workers.size(), 2U);
  for (const int pid : workers) EXPECT_TRUE(gone(pid));
  EXPECT_EQ(get(port), "refused");
}

TEST_F(Crashed, IsSaidToHaveFailed) {
  const Ended listed = session.run({"list"});
  EXPECT_EQ(listed.code, 0);
  EXPECT_TRUE(has(listed.out, "failed")) << listed.all();
  const Ended status = session.run({"status", "app"});
  EXPECT_EQ(status.code, 3);
  EXPECT_TRUE(has(status.out, "without a word")) << status.all();
  const auto json = session.run({"status", "app", "--json"}).json();
  EXPECT_EQ(json["state"], "failed");
  EXPECT_EQ(session.run({"why", "app", "--json"}).json()["state"], "failed");
  EXPECT_TRUE(has(session.run({"why", "app"}).out, "without a word"));
  EXPECT_EQ(session.run({"logs", "app"}).code, 0);
}

TEST_F(Crashed, CannotBeSpokenTo) {
  for (const char* command : {"reload", "restart", "stop", "kill"}) {
    const Ended ended = session.run({command, "app"});
    EXPECT_EQ(ended.code, 1) << command;
    EXPECT_TRUE(has(ended.err, "the app \"app\" does not run; muster start app starts it")) << command << ended.all();
    const Ended json = session.run({command, "app", "--json"});
    EXPECT_EQ(json.json()["ok"], false);
  }
  EXPECT_EQ(session.run({"scale", "app", "2"}).code, 1);
}

TEST_F(Crashed, StartsAgain) {
  for (const int pid : workers) gone(pid);
  const Ended started = session.run({"start", "app"});
  EXPECT_EQ(started.code, 0) << started.all();
  EXPECT_EQ(gets(port, 10).size(), 2U);
}

TEST_F(Crashed, CanBeDeleted) {
  EXPECT_EQ(session.run({"delete", "app"}).code, 0);
  EXPECT_EQ(session.run({"list", "--json"}).json().size(), 0U);
  EXPECT_EQ(session.run({"status", "app"}).code, 1);
}

TEST(Commands, NameTheNearestOfAnUnknownApp) {
  Session session;
  session.write("server.js", server_js(0));
  ASSERT_EQ(session.run({"start", "server.js"}).code, 0);
  const std::vector<std::vector<std::string>> commands{
      {"status", "sever"}, {"why", "sever"}, {"reload", "sever"}, {"stop", "sever"},    {"scale", "sever", "2"},
      {"logs", "sever"},   {"top", "sever"}, {"delete", "sever"}, {"restart", "sever"}, {"kill", "sever"}};
  for (std::vector<std::string> words : commands) {
    const Ended text = session.run(words);
    EXPECT_EQ(text.code, 1) << words[0];
    EXPECT_EQ(text.out, "") << words[0];
    EXPECT_TRUE(has(text.err, "muster: there is no app \"sever\"; did you mean \"server\"?")) << words[0] << text.all();
    words.emplace_back("--json");
    const Ended json = session.run(words);
    EXPECT_EQ(json.code, 1) << words[0];
    EXPECT_TRUE(has(json.json().value("error", ""), "did you mean")) << words[0] << json.all();
  }
}

TEST(Commands, ShowAnAppThatRuns) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "String(process.pid)", "console.log('hello from ' + process.env.MUSTER_WORKER);"));
  ASSERT_EQ(session.run({"start", "-n", "2", "app.js"}).code, 0);
  const auto list = session.run({"list", "--json"}).json();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["state"], "running");
  EXPECT_EQ(list[0]["workers"].size(), 2U);
  EXPECT_TRUE(has(session.run({"list"}).out, "running"));
  const auto status = session.run({"status", "app", "--json"}).json();
  EXPECT_EQ(status["listening"][0], fmt::format("tcp://127.0.0.1:{}", port));
  EXPECT_TRUE(has(session.run({"status", "app"}).out, "running"));
  EXPECT_EQ(session.run({"top", "--once"}).code, 0);
  EXPECT_EQ(session.run({"top", "--json"}).json().size(), 1U);
  EXPECT_EQ(session.run({"why", "app"}).code, 0);
  EXPECT_EQ(session.run({"why", "app/2", "--json"}).json()["state"], "running");
  const std::string logs = session.run({"logs", "app"}).out;
  EXPECT_TRUE(has(logs, "app/1 | hello from 1")) << logs;
  EXPECT_TRUE(has(logs, "app/2 | hello from 2")) << logs;
  std::istringstream lines(session.run({"logs", "app", "--json"}).out);
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST(Commands, ShowAnAppThatWasStopped) {
  Session session;
  session.write("app.js", server_js(0, "''", "console.log('it was here');"));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  ASSERT_EQ(session.run({"stop", "app", "--json"}).json()["ok"], true);
  const auto list = session.run({"list", "--json"}).json();
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["state"], "stopped");
  EXPECT_EQ(session.run({"status", "app"}).code, 0);
  EXPECT_TRUE(has(session.run({"logs", "app"}).out, "it was here"));
  std::istringstream lines(session.run({"logs", "app", "--json"}).out);
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  const Ended second = session.run({"stop", "app"});
  EXPECT_EQ(second.code, 1);
  EXPECT_TRUE(has(second.err, "does not run")) << second.all();
  EXPECT_EQ(session.run({"delete", "app", "--json"}).json()["ok"], true);
  EXPECT_EQ(session.run({"list", "--json"}).json().size(), 0U);
  EXPECT_NE(access(session.state("app.log").c_str(), F_OK), 0);
}

TEST(Commands, SayThatAPrimaryDoesNotAnswer) {
  Session session;
  session.write("app.js", server_js(0));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  const int primary = session.status("app")["pid"];
  kill(primary, SIGSTOP);
  const Ended status = session.run({"status", "app"});
  kill(primary, SIGCONT);
  EXPECT_TRUE(has(status.out, fmt::format("(pid {}) does not answer", primary))) << status.all();
  EXPECT_EQ(session.status("app")["state"], "running");
}

TEST(Commands, KillEndsAPrimaryThatDoesNotAnswerAndItsWorkers) {
  Session session;
  session.write("app.js", server_js(0));
  ASSERT_EQ(session.run({"start", "-n", "2", "app.js"}).code, 0);
  const int primary = session.status("app")["pid"];
  const std::vector<int> workers = session.workers("app");
  kill(primary, SIGSTOP);

  const Ended killed = session.run({"kill", "app"});

  EXPECT_EQ(killed.code, 0) << killed.all();
  EXPECT_TRUE(has(killed.out, "app: killed: its primary did not answer")) << killed.all();
  EXPECT_TRUE(gone(primary));
  for (const int worker : workers) EXPECT_TRUE(gone(worker));
}

TEST(Commands, StopSaysThatAPrimaryDoesNotAnswerAndGoesOnWhenItDoes) {
  Session session;
  session.write("app.js", server_js(0));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  const int primary = session.status("app")["pid"];
  kill(primary, SIGSTOP);
  Running stop(session, {.words = {"stop", "app"}});
  stop.line("does not answer: it hangs, or is stopped; muster kill app ends it");
  kill(primary, SIGCONT);
  EXPECT_EQ(stop.own_exit_code(), 0);
}

// Nor does one that does not answer keep the keys waiting.
TEST(Commands, ListShowsWhoAnswersBesideThoseWhoDoNot) {
  Session session;
  session.write("app.js", server_js(0));
  std::map<std::string, int> primaries;
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_EQ(session.run({"start", "--name", name, "app.js"}).code, 0);
    primaries[name] = session.status(name)["pid"];
  }
  kill(primaries["a"], SIGSTOP);
  kill(primaries["b"], SIGSTOP);

  const nlohmann::json list = session.run({"list", "--json"}).json();

  for (const auto& [name, primary] : primaries) kill(primary, SIGCONT);
  EXPECT_EQ(list[0]["state"], "failed");
  EXPECT_EQ(list[1]["state"], "failed");
  EXPECT_EQ(list[2]["state"], "running") << "the time that the others took was its own too";
  EXPECT_EQ(session.run({"stop", "all"}).code, 0);
}

TEST(Commands, ThatNeedNoFolderWorkInOneThatWasRemoved) {
  Session session;
  session.write("app.js", server_js(0));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  const std::string gone = session.file("gone");
  std::filesystem::create_directory(gone);
  const std::string muster = std::string(MUSTER_BINARY_DIR) + "/muster";
  const auto in_a_removed_folder = [&](const std::string& words) {
    std::filesystem::create_directory(gone);
    Running shell(session,
                  {.words = {"-c", "cd gone && rmdir ../gone && exec \"" + muster + "\" " + words}, .program = "/bin/sh"});
    return shell.exit_code();
  };
  EXPECT_EQ(in_a_removed_folder("list"), 0);
  EXPECT_EQ(in_a_removed_folder("check app.js"), 2);
  EXPECT_EQ(in_a_removed_folder("stop app"), 0);
}

TEST(Commands, SaveNothingWhereNothingRuns) {
  Session session;
  ASSERT_EQ(session.run({"save"}).code, 0);
  const Ended none = session.run({"resurrect"});
  EXPECT_EQ(none.code, 1);
  EXPECT_TRUE(has(none.err, "nothing was saved")) << none.all();
}

TEST(Commands, CheckEndsWith2WhereAConfigurationIsWrong) {
  Session session;
  session.write("app.js", "");
  session.write("muster.toml", "[apps.app]\napp = \"app.js\"\nworkers = -1\n");
  EXPECT_EQ(session.run({"check"}).code, 2);
}

TEST(Commands, ScaleUpAndDown) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  const Ended up = session.run({"scale", "app", "+2"});
  EXPECT_EQ(up.code, 0) << up.all();
  EXPECT_EQ(session.workers("app").size(), 3U);
  EXPECT_EQ(gets(port, 12).size(), 3U);
  EXPECT_EQ(session.run({"scale", "app", "1", "--json"}).json()["ok"], true);
  EXPECT_TRUE(eventually([&] { return session.status("app")["workers"].size() == 1; }, "one is left"));
  EXPECT_EQ(get(port), std::to_string(session.workers("app").at(0)));
  EXPECT_EQ(session.run({"scale", "app", "-3"}).code, 1);
  EXPECT_EQ(session.run({"scale", "app", "0"}).code, 2);
  EXPECT_EQ(session.run({"scale", "app", "some"}).code, 2);
}

TEST(Commands, RestartWithNewProcesses) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  ASSERT_EQ(session.run({"start", "-n", "2", "app.js"}).code, 0);
  const auto before = session.workers("app");
  const Ended restarted = session.run({"restart", "app"});
  EXPECT_EQ(restarted.code, 0) << restarted.all();
  const auto after = session.workers("app");
  ASSERT_EQ(after.size(), 2U);
  for (const int pid : before) EXPECT_EQ(std::count(after.begin(), after.end(), pid), 0);
  for (const int pid : before) gone(pid);
}

TEST(Commands, KillAtOnceWhatDoesNotWantToEnd) {
  Session session;
  session.write("app.js", server_js(0, "''",
                                    "process.on('SIGTERM', () => {}); process.on('disconnect', () => {});"
                                    "setInterval(() => {}, 1000);"));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  const auto workers = session.workers("app");
  EXPECT_EQ(session.run({"kill", "app"}).code, 0);
  for (const int pid : workers) EXPECT_TRUE(gone(pid));
  EXPECT_EQ(session.run({"list", "--json"}).json()[0]["state"], "stopped");
}

TEST(Commands, StopThemAll) {
  Session session;
  session.write("a.js", server_js(0));
  session.write("b.js", server_js(0));
  ASSERT_EQ(session.run({"start", "a.js"}).code, 0);
  ASSERT_EQ(session.run({"start", "b.js"}).code, 0);
  EXPECT_EQ(session.run({"stop", "all"}).code, 0);
  for (const auto& app : session.run({"list", "--json"}).json()) EXPECT_EQ(app["state"], "stopped");
  EXPECT_EQ(session.run({"delete", "all"}).code, 0);
  EXPECT_EQ(session.run({"list", "--json"}).json().size(), 0U);
}

TEST(Commands, ResurrectWhatWasSaved) {
  Session session;
  const int port = free_port();
  session.write("a.js", server_js(port));
  session.write("b.js", server_js(0));
  EXPECT_EQ(session.run({"resurrect"}).code, 1);
  ASSERT_EQ(session.run({"start", "a.js"}).code, 0);
  ASSERT_EQ(session.run({"start", "b.js"}).code, 0);
  ASSERT_EQ(session.run({"stop", "b"}).code, 0);
  const auto saved = session.run({"save", "--json"}).json();
  EXPECT_EQ(saved["saved"], nlohmann::json({"a"}));
  ASSERT_EQ(session.run({"kill", "all"}).code, 0);
  EXPECT_EQ(get(port), "refused");
  const Ended resurrected = session.run({"resurrect"});
  EXPECT_EQ(resurrected.code, 0) << resurrected.all();
  EXPECT_NE(get(port), "refused");
  EXPECT_EQ(session.status("b"), nullptr);
  const Ended again = session.run({"resurrect"});
  EXPECT_EQ(again.code, 0);
}

TEST(Commands, FollowTheLogUntilTheAppEnds) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "(console.log('asked'), 'x')"));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  Running logs(session, {.words = {"logs", "-f", "app"}});
  logs.line(" ready on ");
  get(port);
  logs.line("asked");
  ASSERT_EQ(session.run({"stop", "app"}).code, 0);
  EXPECT_EQ(logs.exit_code(), 0);
}

TEST(Commands, FollowTheLogsOfAllApps) {
  Session session;
  const int a = free_port(), b = free_port();
  session.write("a.js", server_js(a, "(console.log('asked a'), 'x')"));
  session.write("b.js", server_js(b, "(console.log('asked b'), 'x')"));
  ASSERT_EQ(session.run({"start", "a.js"}).code, 0);
  ASSERT_EQ(session.run({"start", "b.js"}).code, 0);
  Running logs(session, {.words = {"logs", "-f"}});
  logs.lines(" ready on ", 2);
  get(b);
  logs.line("asked b");
  get(a);
  logs.line("asked a");
  ASSERT_EQ(session.run({"stop", "a"}).code, 0);
  get(b);
  logs.line("asked b");
  ASSERT_EQ(session.run({"stop", "b"}).code, 0);
  EXPECT_EQ(logs.exit_code(), 0);
}

TEST(Commands, StopAnAppWhoseWorkersAllHang) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port));
  ASSERT_EQ(session.run({"start", "--heartbeat", "0", "--drain-timeout", "200ms", "--kill-timeout", "200ms", "app.js"}).code,
            0);
  const int worker = session.workers("app").at(0);
  kill(worker, SIGSTOP);
  // It waits for an answer that it will not get.
  Connection connection(port);
  connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  session.status("app");
  const Ended stopped = session.run({"stop", "app"});
  EXPECT_EQ(stopped.code, 0) << stopped.all();
  EXPECT_TRUE(gone(worker));
}

}  // namespace
}  // namespace muster::test
