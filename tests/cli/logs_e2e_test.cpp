// SPDX-License-Identifier: MIT
// What workers print, from their pipes to where it is kept.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "os/fd.h"
#include "support.h"

namespace muster::test {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(std::move(line));
  return lines;
}

TEST(Logs, ThatCannotBeWrittenAreSaidAtOnce) {
  Session session;
  session.write("app.js", server_js(0));
  for (const auto& [file, why] : {std::pair{"/nowhere/app.log", "No such file or directory"}, {"/tmp", "Is a directory"}}) {
    Running muster(session, {.words = {"run", "--log-file", file, "app.js"}});
    EXPECT_EQ(muster.exit_code(), 1);
    EXPECT_TRUE(has(muster.output(), fmt::format("muster: cannot write to the log {}: {}", file, why))) << muster.output();
  }
}

TEST(Logs, ArePrefixedWithWhoSaysThem) {
  Session session;
  session.write("app.js", server_js(0, "''", "console.log('to out'); console.error('to err');"));
  Running muster(session, {.words = {"run", "--name", "api", "app.js"}});
  muster.line(" ready on ");
  EXPECT_TRUE(has(muster.output(), "api/1 | to out\n"));
  EXPECT_TRUE(has(muster.output(), "api/1 | to err\n"));
  EXPECT_TRUE(has(muster.output(), "api | 1 worker is ready"));
}

TEST(Logs, MayBeJson) {
  Session session;
  session.write("app.js", server_js(0, "''", "console.log('a \"quoted\" \\\\ line'); console.error('\\x01\\u2028');"));
  Running muster(session, {.words = {"run", "--json", "app.js"}});
  muster.line(" ready on ");
  for (const std::string& line : lines_of(muster.output())) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(json.is_object()) << line;
    EXPECT_EQ(json["app"], "app");
    EXPECT_TRUE(json.contains("time") && json.contains("stream") && json.contains("text")) << line;
    if (json["stream"] == "out") {
      EXPECT_EQ(json["text"], "a \"quoted\" \\ line");
    }
  }
}

TEST(Logs, AreNeverMixedWithinALine) {
  Session session;
  session.write(
      "app.js",
      server_js(0, "''",
                "for (let i = 0; i < 100; i++) { process.stdout.write('out' + process.env.MUSTER_WORKER.repeat(500) + '\\n');"
                " process.stderr.write('err' + process.env.MUSTER_WORKER.repeat(500) + '\\n'); }"));
  Running muster(session, {.words = {"run", "-n", "4", "app.js"}});
  muster.line(" ready on ");
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
  int count = 0;
  for (const std::string& line : lines_of(muster.output())) {
    if (!line.starts_with("app/")) continue;
    const char who = line[4];
    const std::string text = line.substr(line.find(" | ") + 3);
    EXPECT_TRUE(text == "out" + std::string(500, who) || text == "err" + std::string(500, who)) << line;
    ++count;
  }
  EXPECT_EQ(count, 4 * 200);
}

TEST(Logs, TakeLinesOfAnyLengthAndAnyBytes) {
  Session session;
  session.write("app.js", server_js(0, "''",
                                    "const fs = require('fs');\n"
                                    "fs.writeSync(1, 'x'.repeat(200000) + '\\n');\n"
                                    "fs.writeSync(1, Buffer.from([0, 255, 254, 13, 27, 91, 50, 74, 10]));\n"
                                    "fs.writeSync(1, '\\n\\n\\r\\n');\n"
                                    "process.on('exit', () => fs.writeSync(1, 'the last words'));"));
  Running muster(session, {.words = {"run", "--json", "app.js"}});
  muster.line(" ready on ");
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
  std::size_t long_ones = 0;
  bool last = false;
  for (const std::string& line : lines_of(muster.output())) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(json.is_object()) << line.substr(0, 200);
    const std::string text = json["text"];
    if (text.find_first_not_of('x') == std::string::npos) long_ones += text.size();
    last = last || text == "the last words";
  }
  EXPECT_EQ(long_ones, 200'000U);
  EXPECT_TRUE(last) << muster.output().substr(muster.output().size() - 1000);
}

// A primary that was about to end takes the command, and ends.
TEST(Logs, AreThoseKeptWhereThePrimaryEndsBeforeItAnswers) {
  Session session;
  session.write("app.js", "console.log('the last words'); process.exit(1);\n");
  Running start(session, {.words = {"start", "--backoff", "1ms", "app.js"}});
  EXPECT_EQ(start.exit_code(), 1);
  EXPECT_TRUE(eventually([&] { return !session.status("app").is_object(); }, "its primary is gone"));

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  session.runtime("app.sock").copy(address.sun_path, sizeof address.sun_path - 1);
  unlink(address.sun_path);
  const OwnedFd ending(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(ending.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(ending.get(), 1), 0);
  Running logs(session, {.words = {"logs", "app"}});
  const int client = accept(ending.get(), nullptr, nullptr);
  close(client);

  logs.line("the last words");
  EXPECT_EQ(logs.exit_code(), 0);
}

TEST(Logs, AreRotatedAndTheOldestGoes) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "(say(), 'x')",
                                    "let n = 0; function say() { for (let i = 0; i < 50; i++) console.log('line ' + n++); }"));
  Running muster(session,
                 {.words = {"run", "--log-file", session.file("app.log"), "--log-size", "2K", "--log-files", "2", "app.js"}});
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 1; }));
  for (int i = 0; i < 4; ++i) get(port);
  EXPECT_TRUE(eventually([&] { return has(session.read("app.log"), "line 199\n"); }, "all is written"));
  EXPECT_LE(std::filesystem::file_size(session.file("app.log")), 2048U);
  EXPECT_LE(std::filesystem::file_size(session.file("app.log.1")), 2048U);
  EXPECT_LE(std::filesystem::file_size(session.file("app.log.2")), 2048U);
  EXPECT_FALSE(std::filesystem::exists(session.file("app.log.3")));
  // In order, with nothing between them lost.
  int expected = -1;
  for (const std::string& line : lines_of(session.read("app.log.2") + session.read("app.log.1") + session.read("app.log"))) {
    const int number = std::atoi(line.c_str() + line.rfind(' '));
    if (expected >= 0) {
      EXPECT_EQ(number, expected) << line;
    }
    expected = number + 1;
  }
  EXPECT_EQ(expected, 200);
}

TEST(Logs, AreRotatedAsOftenAsThereAreFiles) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "(console.log('asked ' + request.url + 'x'.repeat(500)), 'x')"));
  Running muster(session, {.words = {"run", "--log-file", session.file("app.log"), "--log-size", "1K", "--log-files",
                                     "4000000000", "app.js"}});
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 1; }));
  for (int i = 0; i < 20; ++i) ASSERT_EQ(get(port), "x");
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(session.file("app.log.9")); }, "it is rotated"));
}

TEST(Logs, AreMadeAgainWithTheirFolder) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "(console.log('asked ' + request.url), 'x')"));
  std::filesystem::create_directory(session.file("logs"));
  Running muster(session, {.words = {"run", "--log-file", session.file("logs/app.log"), "app.js"}});
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 1; }));
  std::filesystem::remove_all(session.file("logs"));
  std::filesystem::create_directory(session.file("logs"));
  EXPECT_TRUE(eventually(
      [&] {
        get(port, "/again");
        return has(session.read("logs/app.log"), "asked /again");
      },
      "it is logged"));
}

TEST(Logs, MayNotBeAsLargeAsTheyWantToBe) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "(console.log('x'.repeat(1000)), 'fine')"));
  Running muster(session,
                 {.words = {"-c", fmt::format("ulimit -f 16; exec {}/muster run --log-file app.log app.js", MUSTER_BINARY_DIR)},
                  .program = "/bin/sh"});
  EXPECT_TRUE(eventually([&] { return get(port) == "fine"; }, "it answers"));
  for (int i = 0; i < 60; ++i) ASSERT_EQ(get(port), "fine");
  EXPECT_LE(std::filesystem::file_size(session.file("app.log")), 16U << 10);
  muster.signal(SIGTERM);
  EXPECT_EQ(muster.own_exit_code(), 0);
}

TEST(Logs, AreOpenedAgainBySIGUSR1) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "(console.log('asked ' + request.url), 'x')"));
  Running muster(session, {.words = {"run", "--log-file", session.file("app.log"), "app.js"}});
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 1; }));
  get(port, "/1");
  EXPECT_TRUE(eventually([&] { return has(session.read("app.log"), "asked /1"); }, "it is logged"));
  std::filesystem::rename(session.file("app.log"), session.file("old.log"));
  muster.signal(SIGUSR1);
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(session.file("app.log")); }, "it is there again"));
  get(port, "/2");
  EXPECT_TRUE(eventually([&] { return has(session.read("app.log"), "asked /2"); }, "it is logged"));
  EXPECT_FALSE(has(session.read("old.log"), "asked /2"));
}

TEST(Logs, ThatCannotBeWrittenStopNobody) {
  Session session;
  const int port = free_port();
  session.write("app.js", server_js(port, "(console.log('asked'), 'fine')"));
  Running muster(session, {.words = {"run", "--log-file", "/dev/full", "--log-size", "10", "app.js"}});
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 1; }));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(get(port), "fine");
  EXPECT_TRUE(eventually([&] { return has(session.run({"logs", "app"}).out, "asked"); }, "they can be asked for"));
  EXPECT_TRUE(std::filesystem::exists("/dev/full"));
  EXPECT_FALSE(std::filesystem::exists("/dev/full.1"));
}

TEST(Logs, ThatNobodyReadsStopNobody) {
  Session session;
  const int port = free_port();
  // More than a pipe holds and is kept for it, on both streams.
  session.write("app.js", server_js(port, "(console.log('x'.repeat(50000)), console.error('y'.repeat(50000)), 'fine')"));
  int pipe[2] = {-1, -1};
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  Running muster(session, {.words = {"run", "app.js"}, .output = pipe[1]});
  EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 1; }));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(get(port), "fine");
  EXPECT_EQ(session.workers("app").size(), 1U);
  // Who reads at last finds whole lines, and what is missing is said.
  std::string all;
  std::vector<char> bytes(1 << 20);
  EXPECT_TRUE(eventually(
      [&] {
        get(port);
        pollfd ready{pipe[0], POLLIN, 0};
        while (poll(&ready, 1, 0) > 0) {
          const ssize_t size = read(pipe[0], bytes.data(), bytes.size());
          if (size <= 0) break;
          all.append(bytes.data(), static_cast<std::size_t>(size));
        }
        return has(all, "lines could not be written before this");
      },
      "it is said"));
  EXPECT_EQ(session.run({"kill", "app"}).code, 0);
  close(pipe[0]);
  close(pipe[1]);
}

TEST(Logs, SayHowMuchAFullDiskHasCost) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, for a disk that is small";
  Session session;
  const int port = free_port();
  const std::string disk = session.file("disk");
  mkdir(disk.c_str(), 0700);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) GTEST_SKIP() << "nothing may be mounted";
  {
    session.write("app.js", server_js(port, "(console.log('x'.repeat(1000)), 'fine')"));
    Running muster(session, {.words = {"run", "--log-file", disk + "/app.log", "app.js"}});
    EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 1; }));
    for (int i = 0; i < 100; ++i) ASSERT_EQ(get(port), "fine");
    EXPECT_LE(std::filesystem::file_size(disk + "/app.log"), 64U << 10);
    std::filesystem::resize_file(disk + "/app.log", 0);
    EXPECT_TRUE(eventually(
        [&] {
          get(port);
          return has(session.read(disk + "/app.log"), "lines could not be written before this");
        },
        "it is said"));
    // On a line of its own, however often a part of another one could be written.
    for (const std::string& line : lines_of(session.read(disk + "/app.log"))) {
      if (!has(line, "could not be written")) continue;
      EXPECT_TRUE(has(line.substr(0, 40), " app muster ")) << line;
    }
    EXPECT_EQ(session.run({"kill", "app"}).code, 0);
    muster.own_exit_code();
  }
  umount(disk.c_str());
}

TEST(Workers, AreOfAnotherUserOnAPortThatIsNotTheirs) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  Session session;
  // What nobody may read: its program, and what it loads first.
  chmod(session.path().c_str(), 0755);
  int port = 0;
  for (int candidate = 700; candidate < 1000 && port == 0; ++candidate) {
    if (get(candidate) == "refused") port = candidate;
  }
  session.write("app.js", server_js(port, "process.getuid() + ' ' + process.getgid() + ' ' + process.getgroups()"));
  Running muster(session, {.words = {"run", "--user", "nobody", "--may-listen", std::to_string(port), "app.js"}});
  muster.line("1 worker is ready");
  EXPECT_EQ(get(port), "65534 65534 65534");
  EXPECT_TRUE(eventually([&] { return session.status("app")["workers"][0].contains("requests"); }, "it reports"));
}

TEST(Workers, ArePinned) {
  Session session;
  session.write("app.js", server_js(0));
  Running muster(session, {.words = {"run", "-n", "2", "--pin", "app.js"}});
  muster.line("2 workers are ready");
  std::set<std::string> where;
  for (const int pid : session.workers("app")) {
    const std::string status = session.read(fmt::format("/proc/{}/status", pid));
    const auto at = status.find("Cpus_allowed_list:");
    where.insert(status.substr(at, status.find('\n', at) - at));
  }
  EXPECT_EQ(where.size(), std::min<std::size_t>(2, sysconf(_SC_NPROCESSORS_ONLN)));
  for (const std::string& list : where) EXPECT_EQ(list.find_first_of("-,"), std::string::npos) << list;
}

}  // namespace
}  // namespace muster::test
