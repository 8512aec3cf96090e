// SPDX-License-Identifier: MIT
// As process 1 of a container.

#include <signal.h>
#include <unistd.h>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"

namespace muster::test {
namespace {

struct Container : testing::Test {
  void SetUp() override {
    const Ended possible = session.run(Launch{.words = {"-c", before_all() + " true"}, .program = "sh"});
    if (possible.code != 0) GTEST_SKIP() << "there can be no namespace of processes here: " << possible.all();
  }
  static std::vector<std::string> before() {
    std::vector<std::string> words{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"};
    if (geteuid() != 0) words.insert(words.begin() + 1, {"--user", "--map-root-user"});
    return words;
  }
  static std::string before_all() {
    std::string all;
    for (const std::string& word : before()) all += word + " ";
    return all;
  }
  // Process 1, as it is called out here; and what goes on below it.
  int init(const Running& muster) const {
    const auto children = children_of(muster.pid());
    for (const int pid : children) {
      if (has(session.read(fmt::format("/proc/{}/status", pid)), "NSpid:\t" + std::to_string(pid) + "\t1\n")) return pid;
    }
    return 0;
  }
  Session session;
  int port = free_port();
};

TEST_F(Container, PassesSIGTERMOnAndTheExitCodeBack) {
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "-n", "2", "app.js"}, .before = before()});
  muster.line("2 workers are ready");
  EXPECT_EQ(gets(port, 10).size(), 2U);
  kill(init(muster), SIGTERM);
  muster.line("stopping");
  EXPECT_EQ(muster.exit_code(), 0);
  EXPECT_EQ(get(port), "refused");
}

TEST_F(Container, EndsWithTheCodeOfAnAppThatFails) {
  session.write("app.js", "throw new Error('no');\n");
  Launch launch;
  launch.words = {"run", "--backoff", "1ms", "app.js"};
  launch.before = before();
  const Ended ended = session.run(launch);
  EXPECT_EQ(ended.code, 1) << ended.all();
}

TEST_F(Container, BuriesWhatNobodyElseDoes) {
  // Children of children, whose parents do not wait for them.
  session.write(
      "app.js",
      server_js(port, "(orphans(), 'fine')",
                "const { spawnSync } = require('child_process');\n"
                "function orphans() { for (let i = 0; i < 5; i++) spawnSync('sh', ['-c', '(sh -c \"exit 3\" &) ; true']); }"));
  Running muster(session, {.words = {"run", "app.js"}, .before = before()});
  muster.line("1 worker is ready");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(get(port), "fine");
  EXPECT_TRUE(eventually(
      [&] {
        for (const int pid : children_of(muster.pid())) {
          if (process_state(pid) == 'Z') return false;
        }
        return true;
      },
      "no zombie is left"));
  EXPECT_LE(children_of(muster.pid()).size(), 3U);
}

TEST_F(Container, OutlivesAnUpgrade) {
  session.write("app.js", server_js(port));
  Running muster(session, {.words = {"run", "app.js"}, .before = before()});
  muster.line("1 worker is ready");
  const std::string old = get(port);
  const int first = init(muster);
  kill(first, SIGUSR2);
  muster.line("this one lets its workers finish");
  EXPECT_TRUE(eventually([&] { return session.status("app").is_object() && get(port) != old; }, "the new one serves"));
  EXPECT_TRUE(eventually([&] { return children_of(first).size() == 2; }, "the old one is gone"));
  EXPECT_TRUE(muster.alive());
  EXPECT_NE(get(port), "refused");
  // Signals are for the new one now.
  kill(first, SIGTERM);
  EXPECT_EQ(muster.exit_code(), 0);
}

}  // namespace
}  // namespace muster::test
