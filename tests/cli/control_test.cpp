// SPDX-License-Identifier: MIT
// The control socket, and those who use it badly: nothing they send disturbs the app.

#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

struct Control : testing::Test {
  void start(const std::string& code = "", std::vector<std::string> flags = {}) {
    session.write("app.js", code.empty() ? server_js(port) : code);
    flags.insert(flags.begin(), "run");
    flags.emplace_back("app.js");
    muster.emplace(session, Launch{.words = std::move(flags)});
    EXPECT_TRUE(eventually([&] { return session.workers("app").size() == 1; }, "it is ready"));
    worker = session.workers("app").at(0);
  }
  // It is as it was.
  void undisturbed() {
    EXPECT_TRUE(muster->alive()) << muster->own_exit_code() << muster->output();
    EXPECT_EQ(session.workers("app"), std::vector<int>{worker}) << muster->own_exit_code() << muster->output();
    EXPECT_EQ(get(port), std::to_string(worker));
  }
  std::string send(const std::string& bytes) const {
    Connection connection(session.runtime("app.sock"));
    connection.send(bytes);
    return connection.rest();
  }
  Session session;
  int port = free_port();
  std::optional<Running> muster;
  int worker = 0;
};

TEST_F(Control, AnswersWhatIsNoCommand) {
  start();
  using namespace std::string_literals;
  for (const std::string& bytes :
       {"\n"s, "nonsense\n"s, "{}\n"s, "[]\n"s, "null\n"s, "{\"command\":7}\n"s, "{\"command\":\"nothing\"}\n"s,
        "\0\xff\xfe\n"s, "GET / HTTP/1.1\r\n\r\n"s, std::string(60'000, '[') + "\n", "{\"command\":\"scale\"}\n"s,
        "{\"command\":\"scale\",\"workers\":1e300}\n"s, "{\"command\":\"scale\",\"workers\":-5}\n"s,
        "{\"command\":\"scale\",\"workers\":9223372036854775807,\"how\":\"by\"}\n"s,
        "{\"command\":\"scale\",\"workers\":2,\"how\":[]}\n"s, "{\"command\":\"logs\",\"lines\":\"many\"}\n"s,
        "{\"command\":\"logs\",\"lines\":3,\"follow\":\"yes\"}\n"s}) {
    const std::string answer = send(bytes);
    const auto last = answer.substr(answer.rfind('\n', answer.size() - 2) + 1);
    EXPECT_TRUE(has(last, "\"ok\":false")) << bytes.substr(0, 80) << " -> " << answer.substr(0, 200);
  }
  undisturbed();
}

TEST_F(Control, RefusesALineOfOneMegabyte) {
  start();
  EXPECT_TRUE(has(send(std::string(1 << 20, 'x')), "at most 64 KiB"));
  EXPECT_TRUE(has(send("{\"command\":\"" + std::string(1 << 20, 'x') + "\"}\n"), "at most 64 KiB"));
  undisturbed();
  // Said once for each.
  EXPECT_EQ(count_of(muster->output(), "longer than"), 2) << muster->output();
}

TEST_F(Control, AnswersOnlyTheFirstOfTenThousandLines) {
  start();
  std::string lines;
  for (int i = 0; i < 10'000; ++i) lines += "{\"command\":\"status\"}\n";
  const std::string answer = send(lines.substr(0, 60'000));
  EXPECT_EQ(count_of(answer, "\"ok\":true"), 1);
  send(lines);
  lines.clear();
  for (int i = 0; i < 10'000; ++i) lines += "nonsense\n";
  send(lines);
  undisturbed();
  EXPECT_LE(count_of(muster->output(), "\n"), 10);
}

TEST_F(Control, ForgetsWhoLeavesInTheMiddleOfALine) {
  start();
  const auto before = open_descriptors(muster->pid());
  for (int i = 0; i < 50; ++i) {
    Connection connection(session.runtime("app.sock"));
    connection.send("{\"command\":\"sta");
  }
  for (int i = 0; i < 50; ++i) Connection connection(session.runtime("app.sock"));
  for (int i = 0; i < 20; ++i) {
    Connection connection(session.runtime("app.sock"));
    connection.send("{\"command\":\"reload\"}\n");
  }
  for (int i = 0; i < 20; ++i) {
    Connection connection(session.runtime("app.sock"));
    connection.send("{\"command\":\"logs\",\"follow\":true}\n");
  }
  EXPECT_TRUE(eventually([&] { return session.status("app")["state"] == "running"; }, "the reload has ended"));
  EXPECT_TRUE(eventually([&] { return open_descriptors(muster->pid()) <= before + 2; }, "nothing is left of them"));
  EXPECT_EQ(get(port), std::to_string(session.workers("app").at(0)));
}

TEST_F(Control, AnswersTwoHundredAtOnce) {
  start();
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < 200; ++i) connections.push_back(std::make_unique<Connection>(session.runtime("app.sock")));
  EXPECT_TRUE(session.status("app").is_object());
  for (const auto& connection : connections) connection->send("{\"command\":\"status\"}\n");
  for (const auto& connection : connections) EXPECT_TRUE(has(connection->rest(), "\"ok\":true"));
  undisturbed();
}

TEST_F(Control, IsNotHeldUpByOneThatNeverReads) {
  start(server_js(
            port, "flood()",
            "function flood() { for (let i = 0; i < 5000; i++) console.log('x'.repeat(1000)); return String(process.pid); }"),
        {"--log-file", session.file("app.log")});
  Connection slow(session.runtime("app.sock"));
  slow.send("{\"command\":\"logs\",\"follow\":true}\n");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(get(port), std::to_string(worker));
  const auto status = session.status("app");
  EXPECT_TRUE(eventually([&] { return count_of(session.read("app.log"), "xxx\n") == 10'000; }, "all is logged"));
#ifndef MUSTER_SANITIZED
  EXPECT_LT(status["memory"].get<std::uint64_t>(), 60U << 20);
#endif
  // It was let go of: what it has not read is no more than what was kept for it.
  EXPECT_LT(slow.rest().size(), 12U << 20);
  undisturbed();
}

TEST_F(Control, IsForItsUserOnly) {
  start();
  struct stat status {};
  ASSERT_EQ(stat(session.runtime("app.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_EQ(stat((session.path() + "/run/muster").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(Control, RefusesAnotherUserEvenWhereTheFilesWouldNot) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else";
  start();
  for (const char* path : {"", "/run", "/run/muster"}) chmod((session.path() + path).c_str(), 0755);
  chmod(session.runtime("app.sock").c_str(), 0666);
  const passwd* nobody = getpwnam("nobody");
  ASSERT_TRUE(nobody);
  Launch other;
  other.program = "setpriv";
  other.words = {
      "--reuid=nobody",
      "--regid=nogroup",
      "--clear-groups",
      "/usr/bin/python3",
      "-c",
      fmt::format(
          "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('{}')\ns.sendall(b'{{\"command\":\"kill\"}}\\n')\n"
          "print(s.makefile().read())",
          session.runtime("app.sock"))};
  const Ended ended = session.run(other);
  EXPECT_TRUE(has(ended.out, "this app is another user's")) << ended.all();
  muster->line(fmt::format("a command of user {}", nobody->pw_uid));
  undisturbed();
}

}  // namespace
}  // namespace muster::test
