// SPDX-License-Identifier: MIT
// The programs in examples/ that serve, run as a user would and spoken to by a real client.

#include <signal.h>
#include <unistd.h>

#include <set>

#include <gtest/gtest.h>

#include "support/example.h"

namespace muster::test {
namespace {

TEST(Example, HelloHttpServesAndPrintsWhatTheManualPrints) {
  const std::string port = std::to_string(free_port());
  Example example("hello_http", {{"PORT", port}, {"WORKERS", "2"}});
  std::string body;
  get_when_up(example.loop, std::stoi(port), "/", [&](const std::string& text) {
    body = text;
    example.program->process().kill(Signal::interrupt);
  });

  example.run();

  EXPECT_EQ(body, "hello world\n");
  EXPECT_EQ(example.find("Primary ([0-9]+) is running\n"), std::to_string(example.program->process().pid()));
  EXPECT_EQ(example.count("Worker [0-9]+ started\n"), 2U);
  EXPECT_EQ(example.status, ExitStatus::killed(Signal::interrupt));
}

TEST(Example, TheProgramInTheReadmeServes) {
  const std::string port = std::to_string(free_port());
  Example example("doc_readme_1", {}, {port});
  std::string body;
  get_when_up(example.loop, std::stoi(port), "/some/where", [&](const std::string& text) {
    body = text;
    example.program->process().kill();
  });

  example.run();

  EXPECT_EQ(body, "hello world, you asked for /some/where\n");
}

TEST(Example, RefusesAnOptionThatCannotBe) {
  struct {
    const char *name, *value, *says;
  } const cases[] = {
      {"PORT", "abc", "PORT cannot be \"abc\"; accepted: a number from 0 to 65535\n"},
      {"PORT", "65536", "PORT cannot be \"65536\"; accepted: a number from 0 to 65535\n"},
      {"PORT", "", "PORT cannot be \"\"; accepted: a number from 0 to 65535\n"},
      {"WORKERS", "0", "WORKERS cannot be \"0\"; accepted: a number from 1 to 1024, or max\n"},
      {"WORKERS", "many", "WORKERS cannot be \"many\"; accepted: a number from 1 to 1024, or max\n"},
  };
  for (const auto& c : cases) {
    const ProgramResult result = run_example("hello_http", {{c.name, c.value}});
    EXPECT_EQ(result.exit_code, 2) << c.name << '=' << c.value;
    EXPECT_NE(result.output.find(c.says), std::string::npos) << result.output;
  }
}

TEST(Example, EndsWithWhatWasThrownWhereTheEnvironmentNamesNoChannel) {
  for (const char* fd : {"1000", "0", "-1", "4294967299", "x", ""}) {
    const ProgramResult result =
        run_program({"/bin/sh", "-c", std::string(MUSTER_BINARY_DIR) + "/hello_http </dev/null"},
                    {{"PORT", "0"}, {"WORKERS", "1"}, {"NODE_UNIQUE_ID", "1"}, {"NODE_CHANNEL_FD", fd}});
    EXPECT_EQ(result.exit_code, 1) << fd;
    EXPECT_NE(result.output.find("NODE_CHANNEL_FD"), std::string::npos) << result.output;
  }
}

// Process 1 of a container is not ended by a signal that it does not handle.
TEST(Example, ObeysSignalsAsProcessOne) {
  std::vector<std::string> alone{"unshare", "--pid", "--fork", "--mount-proc", "--kill-child"};
  if (geteuid() != 0) alone.insert(alone.begin() + 1, {"--user", "--map-root-user"});
  const auto as_process_one = [&](const std::string& script) {
    std::vector<std::string> command = alone;
    command.insert(command.end(), {"sh", "-c", script});
    return run_program(command, {{"PORT", "0"}, {"WORKERS", "1"}});
  };
  if (as_process_one("true").exit_code != 0) GTEST_SKIP() << "there can be no namespace of processes here";
  for (const auto& [signal, code] : {std::pair("TERM", 128 + SIGTERM), std::pair("INT", 128 + SIGINT)}) {
    // Its own child sends the signal when it serves.
    const std::string program = std::string(MUSTER_BINARY_DIR) + "/hello_http";
    const ProgramResult result = as_process_one(
        std::string("out=$(mktemp); (until grep -q 'is served by 1 worker$' $out; do sleep 0.02; done; rm $out; kill -") +
        signal + " 1) & exec " + program + " >$out");
    EXPECT_EQ(result.exit_code, code) << signal << result.output;
  }
}

TEST(Example, HelloHttpSaysThatItsPortIsTakenAndFails) {
  Primary blocker;
  auto server = net::create_server(blocker.cluster, [](net::Socket) {});
  ProgramResult result;
  std::string port;
  server.listen(0, [&] {
    port = std::to_string(server.address()->port.value());
    result = run_example("hello_http", {{"PORT", port}, {"WORKERS", "2"}});
    server.close();
  });
  blocker.run();

  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(
      count_matches(result.output, "hello_http: cannot listen on \\*:" + port + ": Address already in use \\(EADDRINUSE\\)\n"),
      1U)
      << result.output;
}

TEST(Example, CountRequestsPrintsHowManyItServed) {
  const std::string port = std::to_string(free_port());
  Example example("count_requests", {{"PORT", port}, {"WORKERS", "2"}});
  for (int i = 0; i < 10; ++i) {
    get_when_up(example.loop, std::stoi(port), "/", [](const std::string& body) { EXPECT_EQ(body, "hello world\n"); });
  }
  example.on_output = [&] {
    if (example.output.find("requests = 10\n") != std::string::npos) example.program->process().kill();
  };

  example.run();

  EXPECT_NE(example.output.find("requests = 10\n"), std::string::npos);
}

TEST(Example, RestartOnExitServesOnAfterACrash) {
  const std::string port = std::to_string(free_port());
  Example example("restart_on_exit", {{"PORT", port}, {"WORKERS", "1"}});
  std::string body;
  get_when_up(example.loop, std::stoi(port), "/", [&](const std::string&) {
    get_when_up(example.loop, std::stoi(port), "/crash", [&](const std::string&) {
      get_when_up(example.loop, std::stoi(port), "/", [&](const std::string& text) {
        body = text;
        example.program->process().kill();
      });
    });
  });

  example.run();

  EXPECT_EQ(body, "hello world\n");
  EXPECT_EQ(example.count("worker [0-9]+ died \\(SIGABRT\\). restarting...\n"), 1U) << example.output;
}

TEST(Example, RollingReloadReplacesEachWorkerAndStops) {
  Example example("rolling_reload", {{"PORT", std::to_string(free_port())}, {"WORKERS", "2"}});
  bool reloads = false, stops = false;
  example.on_output = [&] {
    const std::size_t ready = example.count("is ready: 2 of 2\n");
    if (ready > 0 && !std::exchange(reloads, true)) example.program->process().kill(Signal::hup);
    if (example.count("2 of 2 workers replaced\n") > 0 && !std::exchange(stops, true)) example.program->process().kill();
  };

  example.run();

  EXPECT_EQ(example.status, ExitStatus::exited(0)) << example.output;
  EXPECT_EQ(example.count("has ended: reload, exit code 0\n"), 2U) << example.output;
  EXPECT_EQ(example.count("has ended: stop, exit code 0\n"), 2U) << example.output;
}

TEST(Example, IsDeadAnswersOnceFromEachWorkerAndEnds) {
  const std::string port = std::to_string(free_port());
  Example example("is_dead", {{"PORT", port}, {"WORKERS", "2"}});
  std::set<std::string> answers;
  const auto heard = [&](const std::string& body) {
    EXPECT_TRUE(body.starts_with("Current process\n ")) << body;
    answers.insert(body);
  };
  get_when_up(example.loop, std::stoi(port), "/", [&](const std::string& first) {
    heard(first);
    get_when_up(example.loop, std::stoi(port), "/", heard);
  });

  example.run();

  EXPECT_EQ(answers.size(), 2U);
  EXPECT_EQ(example.count("worker is dead: false\n"), 2U);
  EXPECT_EQ(example.count("worker is dead: true\n"), 2U);
  EXPECT_EQ(example.status, ExitStatus::exited(0));
}

class GracefulShutdown : public testing::TestWithParam<bool> {};

TEST_P(GracefulShutdown, WaitsForAPoliteWorkerAndKillsAnother) {
  Env env{{"PORT", "0"}, {"PATIENCE_MS", GetParam() ? "60000" : "100"}};
  if (GetParam()) env["POLITE"] = "1";
  Example example("graceful_shutdown", env);
  net::Socket client;
  std::string heard;
  example.on_output = [&] {
    const std::string port = example.find("listening on ([0-9]+)\n");
    if (port.empty() || client) return;
    client = net::connect(example.loop, std::stoi(port));
    client.on_data([&](std::string_view bytes) { heard += bytes; });
  };

  example.run();

  EXPECT_EQ(heard, GetParam() ? "goodbye\n" : "");
  EXPECT_EQ(example.count("worker does not leave: killing it\n"), GetParam() ? 0U : 1U);
  EXPECT_EQ(example.count(GetParam() ? "worker exited: 0\n" : "worker exited: SIGTERM\n"), 1U) << example.output;
}

INSTANTIATE_TEST_SUITE_P(Example, GracefulShutdown, testing::Bool());

}  // namespace
}  // namespace muster::test
