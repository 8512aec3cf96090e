// Every program in examples/, run as a user would and spoken to by a real client.

#include <csignal>
#include <regex>

#include <gtest/gtest.h>

#include "support/run.h"

namespace muster::test {
namespace {

// A program under way, whose output is read line by line. It is started as a worker that never speaks, which is how a
// primary can start any program.
struct Example : Primary {
  Example(const std::string& name, const Env& env, const std::vector<std::string>& arguments = {}) {
    Settings settings;
    settings.exec = "/usr/bin/env";
    // It is a primary of its own, not a worker of this one.
    settings.args = {"-u", "NODE_UNIQUE_ID", "-u", "NODE_CHANNEL_FD", std::string(MUSTER_BINARY_DIR) + "/" + name};
    settings.args->insert(settings.args->end(), arguments.begin(), arguments.end());
    settings.silent = true;
    cluster.setup_primary(settings);
    program.emplace(cluster.fork(env));
    program->process().stdout_stream().on_data([this](std::string_view bytes) {
      output += bytes;
      if (on_output) on_output();
    });
    program->process().stderr_stream().on_data([this](std::string_view bytes) { errors += bytes; });
    program->on_exit([this](ExitStatus s) { status = s; });
  }

  // The first group of the first line that matches; empty when there is none yet.
  std::string find(const std::string& pattern) const {
    std::smatch match;
    return std::regex_search(output, match, std::regex(pattern)) ? match[1].str() : "";
  }
  std::size_t count(const std::string& pattern) const {
    const std::regex regex(pattern);
    return static_cast<std::size_t>(
        std::distance(std::sregex_iterator(output.begin(), output.end(), regex), std::sregex_iterator()));
  }

  std::optional<Worker> program;
  std::string output, errors;
  Function<void()> on_output;
  std::optional<ExitStatus> status;
};

// Asks again until a server listens; `done` gets the body.
void get_when_up(Loop& loop, int port, const std::string& path, Function<void(std::string)> done) {
  auto text = std::make_shared<std::string>();
  auto callback = std::make_shared<Function<void(std::string)>>(std::move(done));
  net::Socket socket = net::connect(loop, port);
  socket.write("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  socket.on_data([text](std::string_view bytes) { text->append(bytes); });
  socket.on_close([&loop, port, path, text, callback] {
    if (text->empty() && path != "/crash") {
      loop.set_timeout(std::chrono::milliseconds(5), [&loop, port, path, callback] {
        get_when_up(loop, port, path, [callback](std::string body) { (*callback)(std::move(body)); });
      });
      return;
    }
    (*callback)(body_of(*text));
  });
}

std::string free_port() {
  Primary probe;
  std::string port;
  auto server = net::create_server(probe.cluster, [](net::Socket) {});
  server.listen(0, [&] {
    port = std::to_string(server.address()->port.value());
    server.close();
  });
  probe.run();
  return port;
}

TEST(Example, HelloHttpServesAndPrintsWhatTheManualPrints) {
  const std::string port = free_port();
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
  const std::string port = free_port();
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
    result = run_program({std::string(MUSTER_BINARY_DIR) + "/hello_http"}, {{"PORT", port}, {"WORKERS", "2"}});
    server.close();
  });
  blocker.run();

  EXPECT_EQ(result.exit_code, 1);
  const std::regex line("hello_http: cannot listen on \\*:" + port + ": Address already in use \\(EADDRINUSE\\)\n");
  EXPECT_EQ(std::distance(std::sregex_iterator(result.output.begin(), result.output.end(), line), std::sregex_iterator()), 1)
      << result.output;
}

TEST(Example, CountRequestsPrintsHowManyItServed) {
  const std::string port = free_port();
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

TEST(Example, EchoMessagesHearsItselfAndEnds) {
  const ProgramResult result = run_program({std::string(MUSTER_BINARY_DIR) + "/echo_messages"});

  EXPECT_EQ(result.output, "the worker said: hi there\n");
  EXPECT_EQ(result.exit_code, 0);
}

TEST(Example, RestartOnExitServesOnAfterACrash) {
  const std::string port = free_port();
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
