// SPDX-License-Identifier: MIT
// When a worker counts as ready: when its own server listens, however it does that.

#include <sys/stat.h>

#include <string>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support.h"
#include "support/node.h"

namespace muster::test {
namespace {

class Ready : public testing::TestWithParam<int> {};

// Cluster leaves an exclusive server to the worker, which says nothing of it to its primary.
TEST_P(Ready, IsAWorkerWhoseServerIsExclusive) {
  Session session;
  const int port = free_port();
  session.write("app.js", fmt::format("require('http').createServer((q, s) => s.end('it'))"
                                      ".listen({{ port: {}, host: '127.0.0.1', exclusive: true }});\n",
                                      port));
  Running muster(session, {.words = {"run", "--interpreter", node_program(GetParam()), "app.js"}});
  EXPECT_TRUE(has(muster.line("1 worker is ready"), fmt::format("on tcp://127.0.0.1:{}", port)));
  EXPECT_EQ(get(port), "it");
}

INSTANTIATE_TEST_SUITE_P(OfNode, Ready, testing::Values(20, 26));

// As tsx does it: the worker has a pipe for its own use, and the program runs in a child of it that knows no cluster.
TEST(ReadySign, IsNotClaimedByAPipeOfTheInterpreterButByTheServerOfItsChild) {
  Session session;
  const int port = free_port();
  session.write("app.js", fmt::format("const fs = require('fs');\n"
                                      "console.log('waits');\n"
                                      "const look = () => fs.existsSync('go')\n"
                                      "  ? require('http').createServer((q, s) => s.end('it')).listen({}, '127.0.0.1')\n"
                                      "  : setTimeout(look, 10);\n"
                                      "look();\n",
                                      port));
  session.write("runner.js",
                "const { spawn } = require('child_process');\n"
                "require('net').createServer().listen(`${process.cwd()}/${process.pid}.pipe`, () => {\n"
                "  console.log('the pipe listens');\n"
                "  spawn(process.execPath, process.argv.slice(2), { stdio: 'inherit' });\n"
                "});\n");
  const std::string runner =
      session.write("runner", fmt::format("#!/bin/sh\nexec {} {} \"$@\"\n", node_program(20), session.file("runner.js")));
  ASSERT_EQ(chmod(runner.c_str(), 0700), 0);
  Running muster(session, {.words = {"run", "--interpreter", runner, "app.js"}});
  muster.line("the pipe listens");
  muster.line("waits");
  EXPECT_EQ(session.workers("app").size(), 0U);
  EXPECT_EQ(session.status("app")["listening"].size(), 0U);
  session.write("go", "");

  EXPECT_TRUE(has(muster.line("1 worker is ready"), fmt::format("on tcp://127.0.0.1:{}", port)));
  EXPECT_EQ(get(port), "it");
}

}  // namespace
}  // namespace muster::test
