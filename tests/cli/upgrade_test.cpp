// SPDX-License-Identifier: MIT
// SIGUSR2: another primary, of the program that is on the disk now, takes the place of the one that runs.

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <sstream>
#include <thread>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

struct Upgrade : testing::Test {
  // Runs a copy of the command, which can be replaced.
  void start(std::vector<std::string> words) {
    std::filesystem::create_directory(session.file("bin"));
    replace(MUSTER_BINARY_DIR "/muster");
    words.insert(words.begin(), "run");
    muster.emplace(session, Launch{.words = std::move(words), .program = program});
    muster->line(" ready on ");
  }
  // As a package manager does it.
  void replace(const std::string& by) const {
    std::filesystem::copy_file(by, program + ".new");
    chmod((program + ".new").c_str(), 0755);
    std::filesystem::rename(program + ".new", program);
  }
  int primary() const { return session.status("app").value("pid", 0); }

  Session session;
  const std::string program = session.file("bin/muster");
  int port = free_port();
  std::optional<Running> muster;
};

TEST_F(Upgrade, RefusesNobodyAndLosesNothing) {
  session.write("app.js", server_js(port));
  start({"-n", "2", "app.js"});
  const int old = muster->pid();
  const auto old_workers = session.workers("app");
  std::atomic<bool> done = false;
  std::atomic<int> asked = 0, wrong = 0;
  std::jthread client([&] {
    while (!done) {
      const std::string answer = get(port);
      ++asked;
      if (answer == "refused" || answer == "cut off") ++wrong;
    }
  });
  replace(MUSTER_BINARY_DIR "/muster");
  muster->signal(SIGUSR2);
  EXPECT_EQ(muster->own_exit_code(), 0);
  done = true;
  client.join();
  EXPECT_GT(asked, 0);
  EXPECT_EQ(wrong, 0) << "of " << asked;
  // The new one is there, and everything that speaks to it finds it.
  EXPECT_TRUE(eventually([&] { return primary() > 0; }, "it can be asked"));
  const int now = primary();
  EXPECT_NE(now, old);
  for (const int pid : old_workers) EXPECT_TRUE(gone(pid));
  EXPECT_EQ(gets(port, 10).size(), 2U);
  EXPECT_EQ(session.run({"list", "--json"}).json()[0]["pid"], now);
  EXPECT_EQ(session.run({"why", "app"}).code, 0);
  EXPECT_TRUE(session.read("run/muster/app.lock").starts_with(fmt::format("{}\n", now)));
  const Ended second = session.run({"run", "app.js"});
  EXPECT_EQ(second.code, 1);
  EXPECT_TRUE(has(second.err, fmt::format("runs already (pid {})", now))) << second.all();
  EXPECT_EQ(session.run({"reload", "app"}).code, 0);
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  EXPECT_TRUE(gone(now));
  EXPECT_EQ(get(port), "refused");
  EXPECT_TRUE(session.temporary_files().empty());
}

TEST_F(Upgrade, CanBeDoneAgainAndAgain) {
  session.write("app.js", server_js(port));
  start({"app.js"});
  int before = muster->pid();
  for (int round = 0; round < 3; ++round) {
    kill(before, SIGUSR2);
    EXPECT_TRUE(gone(before));
    EXPECT_TRUE(eventually([&] { return primary() > 0; }, "it can be asked"));
    EXPECT_NE(primary(), before);
    before = primary();
    EXPECT_EQ(get(port), std::to_string(session.workers("app").at(0)));
  }
}

TEST_F(Upgrade, LetsARequestEndThatIsUnderWay) {
  session.write("app.js", fmt::format("const fs = require('fs');\nrequire('http').createServer((request, response) => {{\n"
                                      "  console.log('asked');\n"
                                      "  const wait = setInterval(() => {{ if (fs.existsSync('{}')) {{ clearInterval(wait); "
                                      "response.end('answered'); }} }}, 5);\n"
                                      "}}).listen({}, '127.0.0.1');\n",
                                      session.file("go"), port));
  start({"app.js"});
  Connection connection(port);
  connection.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  muster->line("asked");
  muster->signal(SIGUSR2);
  muster->line("this one lets its workers finish");
  session.write("go", "");
  EXPECT_EQ(body_of(connection.rest()), "answered");
  EXPECT_EQ(muster->own_exit_code(), 0);
}

TEST_F(Upgrade, ToAProgramThatIsBrokenIsAbandoned) {
  session.write("app.js", server_js(port));
  start({"-n", "2", "app.js"});
  const auto workers = session.workers("app");
  const std::string broken = session.write("broken", "#!/bin/sh\nexit 1\n");
  for (int round = 0; round < 3; ++round) {
    replace(broken);
    muster->signal(SIGUSR2);
    const std::string said = muster->line("this one goes on");
    EXPECT_TRUE(has(said, "the new primary did not come up")) << said;
  }
  EXPECT_EQ(primary(), muster->pid());
  EXPECT_EQ(session.workers("app"), workers);
  EXPECT_EQ(gets(port, 10).size(), 2U);
  EXPECT_TRUE(eventually(
      [&] {
        for (const int child : children_of(muster->pid())) {
          if (process_state(child) == 'Z') return false;
        }
        return true;
      },
      "no zombie is left"));
  // Not a program at all.
  replace(session.write("nothing", "nothing"));
  const auto answer = session.ask("app", {{"command", "upgrade"}});
  EXPECT_EQ(answer["ok"], false) << answer;
  EXPECT_EQ(primary(), muster->pid());
  // And once it is mended, it goes.
  replace(MUSTER_BINARY_DIR "/muster");
  muster->signal(SIGUSR2);
  EXPECT_EQ(muster->own_exit_code(), 0);
  EXPECT_EQ(gets(port, 10).size(), 2U);
}

TEST_F(Upgrade, ToAProgramThatSaysNothingIsAbandonedInTheEnd) {
  // In C++, which starts in no time.
  start({"--ready-timeout", "2s", "--name", "app", "--env", fmt::format("PORT={}", port), MUSTER_BINARY_DIR "/hello_http"});
  replace(session.write("silent", "#!/bin/sh\nexec sleep 1000\n"));
  muster->signal(SIGUSR2);
  const std::string begun = muster->line("to take this one's place");
  EXPECT_TRUE(has(session.ask("app", {{"command", "upgrade"}})["error"].get<std::string>(), "another primary is starting"));
  muster->line("said nothing for too long; this one goes on");
  EXPECT_TRUE(has(get(port), "hello world"));
  // Nor does it stay, with the ports, when the app is stopped at that moment.
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  const int silent = std::stoi(begun.substr(begun.find("starts as pid ") + 14));
  EXPECT_TRUE(gone(silent));
  EXPECT_EQ(get(port), "refused");
}

TEST_F(Upgrade, WithAnAppThatDoesNotStartAnyMoreIsAbandoned) {
  session.write("app.js", server_js(port));
  start({"--backoff", "1ms", "app.js"});
  session.write("app.js", "throw new Error('broken meanwhile');\n");
  muster->signal(SIGUSR2);
  muster->line("the new primary did not come up");
  EXPECT_EQ(primary(), muster->pid());
  EXPECT_EQ(get(port), std::to_string(session.workers("app").at(0)));
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  EXPECT_EQ(muster->exit_code(), 0);
  EXPECT_TRUE(session.temporary_files().empty());
}

TEST_F(Upgrade, KeepsUnixSockets) {
  const std::string path = session.file("a.sock");
  session.write("app.js",
                fmt::format("require('http').createServer((q, s) => s.end(String(process.pid))).listen('{}');\n", path));
  start({"app.js"});
  const auto ask = [&] {
    Connection connection(path);
    if (!connection.connected()) return std::string("refused");
    connection.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    return body_of(connection.rest());
  };
  const std::string before = ask();
  muster->signal(SIGUSR2);
  EXPECT_EQ(muster->own_exit_code(), 0);
  const std::string after = ask();
  EXPECT_NE(after, "refused");
  EXPECT_NE(after, before);
  EXPECT_TRUE(eventually([&] { return primary() > 0; }, "it can be asked"));
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  EXPECT_EQ(ask(), "refused");
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Upgrade, ThatCannotOpenItsSocketsLeavesThoseOfThePrimaryThatGoesOn) {
  const std::string path = session.file("a.sock");
  const std::string config = fmt::format("app = \"/bin/sleep\"\nargs = [\"1000\"]\nname = \"app\"\nready_delay = \"1ms\"\n");
  session.write("muster.toml", config + fmt::format("listen = [\"unix:{}\"]\n", path));
  start({});
  // What it is to be now has a port that somebody else has.
  const int taken = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ASSERT_EQ(bind(taken, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(taken, 1), 0);
  session.write("muster.toml", config + fmt::format("listen = [\"unix:{}\", \"tcp://0.0.0.0:{}\"]\n", path, port));
  muster->signal(SIGUSR2);
  const std::string said = muster->line("this one goes on");
  EXPECT_TRUE(has(said, "cannot listen on")) << said;
  EXPECT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(Connection(path).connected());
  EXPECT_TRUE(std::filesystem::exists(session.runtime("app.lock")));
  EXPECT_EQ(primary(), muster->pid());
  close(taken);
}

TEST_F(Upgrade, KeepsHowManyWorkersThereAreAndHowLogsAreWritten) {
  session.write("app.js", server_js(port));
  start({"--json", "app.js"});
  EXPECT_EQ(session.run({"scale", "app", "2"}).code, 0);
  muster->signal(SIGUSR2);
  EXPECT_EQ(muster->own_exit_code(), 0);
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 2; }, "there are two"));
  std::istringstream lines(muster->output());
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST_F(Upgrade, OfAnAppInTheBackground) {
  session.write("app.js", server_js(port));
  ASSERT_EQ(session.run({"start", "app.js"}).code, 0);
  const int old = primary();
  kill(old, SIGUSR2);
  EXPECT_TRUE(gone(old));
  EXPECT_TRUE(eventually([&] { return primary() > 0; }, "it can be asked"));
  EXPECT_EQ(get(port), std::to_string(session.workers("app").at(0)));
  const std::string log = session.run({"logs", "app"}).out;
  EXPECT_TRUE(has(log, " ready on ")) << log;
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  EXPECT_EQ(session.run({"list", "--json"}).json()[0]["state"], "stopped");
}

// The app as it is while another primary is starting, which takes its time.
struct InTheMiddle : Upgrade {
  void SetUp() override {
    session.write("app.js", fmt::format("if (require('fs').existsSync('{}')) setInterval(() => {{}}, 1000); else {}",
                                        session.file("slow"), server_js(port)));
    start({"app.js"});
    session.write("slow", "");
    muster->signal(SIGUSR2);
    successor = std::stoi(after(muster->line("to take this one's place"), "starts as pid "));
    // It is there, and has a worker.
    ASSERT_TRUE(eventually([&] { return !children_of(successor).empty(); }, "it has a worker"));
    workers = children_of(successor);
  }
  void expect_nothing_left() {
    EXPECT_EQ(muster->exit_code(), 0);
    EXPECT_TRUE(gone(successor));
    for (const int worker : workers) EXPECT_TRUE(gone(worker));
    EXPECT_EQ(get(port), "refused");
    EXPECT_TRUE(session.temporary_files().empty());
    EXPECT_FALSE(std::filesystem::exists(session.runtime("app.lock")));
    EXPECT_EQ(session.run({"list", "--json"}).json()[0]["state"], "stopped");
  }
  static std::string after(const std::string& text, std::string_view part) {
    const auto at = text.find(part);
    return at == std::string::npos ? "0" : text.substr(at + part.size());
  }

  int successor = 0;
  std::vector<int> workers;
};

TEST_F(InTheMiddle, OfAnUpgradeStopEndsBoth) {
  const Ended stopped = session.run({"stop", "app"});
  EXPECT_EQ(stopped.out, "app: stopped\n") << stopped.all();
  // When that was said, and not some time later.
  EXPECT_FALSE(is_alive(successor));
  expect_nothing_left();
}

TEST_F(InTheMiddle, OfAnUpgradeKillEndsBoth) {
  EXPECT_EQ(session.run({"kill", "app"}).out, "app: killed\n");
  expect_nothing_left();
}

TEST_F(InTheMiddle, OfAnUpgradeATermSignalEndsBoth) {
  muster->signal(SIGTERM);
  expect_nothing_left();
}

TEST_F(InTheMiddle, OfAnUpgradeAnInterruptEndsBoth) {
  muster->signal(SIGINT);
  expect_nothing_left();
}

TEST_F(InTheMiddle, OfAnUpgradeAStopEndsASuccessorThatHearsNothing) {
  kill(successor, SIGSTOP);
  session.run({"kill", "app"});
  expect_nothing_left();
}

TEST_F(InTheMiddle, OfAnUpgradeAKilledPrimaryIsReplaced) {
  muster->signal(SIGKILL);
  std::filesystem::remove(session.file("slow"));
  for (const int worker : workers) kill(worker, SIGKILL);
  EXPECT_TRUE(eventually([&] { return get(port) != "refused"; }, "the other one serves"));
  EXPECT_TRUE(eventually([&] { return primary() == successor; }, "it can be asked"));
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
}

// What it is told when it takes too long, and not what it would make of a line that ends.
TEST_F(Upgrade, OfOneThatIsGivenUpOnTakesNoName) {
  session.write("app.js", fmt::format("if (require('fs').existsSync('{}')) setInterval(() => {{}}, 1000); else {}",
                                      session.file("slow"), server_js(port)));
  session.write("muster.toml", "[apps.app]\napp = \"app.js\"\nready_timeout = \"500ms\"\n");
  Running app(session, {.words = {"run"}});
  app.line("is ready");
  session.write("muster.toml", "[apps.app]\napp = \"app.js\"\nready_timeout = \"1h\"\n");
  session.write("slow", "");
  app.signal(SIGUSR2);
  app.line("the new primary did not come up");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(session.status("app")["pid"], app.pid());
  EXPECT_EQ(session.run({"stop", "app"}).out, "app: stopped\n");
  EXPECT_EQ(app.exit_code(), 0);
  EXPECT_EQ(get(port), "refused");
}

// One that lets its workers finish is of the app still.
TEST_F(Upgrade, LeavesNobodyBehindThatAKillDoesNotReach) {
  session.write("app.js", "require('http').createServer((q, s) => s.write('for ever')).listen(" + std::to_string(port) +
                              ", '127.0.0.1');\n");
  start({"app.js"});
  const int old = muster->pid();
  const int worker = session.workers("app").at(0);
  Connection client(port);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  client.until("for ever");
  muster->signal(SIGUSR2);
  muster->line("lets its workers finish");
  const auto successor_answers = [&] {
    const auto status = session.status("app");
    return status.is_object() && status["pid"] != old;
  };
  EXPECT_TRUE(eventually(successor_answers, "the new one can be asked"));
  EXPECT_TRUE(is_alive(old));

  EXPECT_EQ(session.run({"kill", "app"}).code, 0);

  EXPECT_TRUE(gone(worker));
  EXPECT_TRUE(gone(old));
  EXPECT_EQ(session.run({"list", "--json"}).json()[0].value("state", ""), "stopped");
}

TEST_F(InTheMiddle, OfAnUpgradeNobodyIsToldWhatWouldBeLost) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"scale", "app", "1"}, {"reload", "app"}, {"restart", "app"}}) {
    const Ended refused = session.run(words);
    EXPECT_EQ(refused.code, 1) << refused.all();
    EXPECT_TRUE(has(refused.err, "another primary is taking this one's place")) << refused.all();
  }
  // Nor by a signal, which is answered in the log.
  for (const auto& [signal, what] : {std::pair{SIGHUP, "reload"}, {SIGTTIN, "scale"}}) {
    muster->signal(signal);
    muster->line(fmt::format("cannot {} now: another primary is taking this one's place", what));
  }
  session.run({"kill", "app"});
}

TEST_F(Upgrade, StartsWhatHasTheNameNowWhereverTheOldFileWent) {
  session.write("app.js", server_js(port));
  start({"app.js"});
  std::filesystem::rename(program, session.file("bin/old"));
  const std::string newer = session.write("newer", "#!/bin/sh\necho this is newer\nexec " MUSTER_BINARY_DIR "/muster \"$@\"\n");
  replace(newer);
  muster->signal(SIGUSR2);
  muster->line("this is newer");
  EXPECT_EQ(muster->own_exit_code(), 0);
}

TEST_F(Upgrade, FollowsALinkToAnotherRelease) {
  session.write("app.js", server_js(port));
  start({"app.js"});
  EXPECT_EQ(session.run({"stop", "app"}).code, 0);
  muster.reset();
  std::filesystem::create_symlink("muster", session.file("bin/current"));
  muster.emplace(session, Launch{.words = {"run", "app.js"}, .program = session.file("bin/current")});
  muster->line(" ready on ");
  session.write("bin/next", "#!/bin/sh\necho this is the next\nexec " MUSTER_BINARY_DIR "/muster \"$@\"\n");
  chmod(session.file("bin/next").c_str(), 0755);
  std::filesystem::remove(session.file("bin/current"));
  std::filesystem::create_symlink("next", session.file("bin/current"));
  muster->signal(SIGUSR2);
  muster->line("this is the next");
  EXPECT_EQ(muster->own_exit_code(), 0);
}

TEST_F(Upgrade, SaysWhyASignalDidNothing) {
  session.write("app.js", server_js(port));
  start({"app.js"});
  std::filesystem::remove(program);
  muster->signal(SIGUSR2);
  muster->line("no other primary takes this one's place: cannot run");
  replace("/bin/true");
  muster->signal(SIGUSR2);
  muster->line("this one goes on");
  EXPECT_EQ(get(port), std::to_string(session.workers("app").at(0)));
}

}  // namespace
}  // namespace muster::test
