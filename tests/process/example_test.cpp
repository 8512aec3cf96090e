// The programs in examples/ that serve, run as a user would and spoken to by a real client.

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
