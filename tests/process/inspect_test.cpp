// SPDX-License-Identifier: MIT
// Workers that a debugger can attach to.

#include <cstdlib>
#include <regex>

#include <gtest/gtest.h>

#include "support/node.h"
#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// A primary that reads where its workers wait for a debugger.
struct InspectingPrimary : Primary {
  explicit InspectingPrimary(Settings settings) {
    settings.silent = true;
    settings.inspect_port = 0;
    cluster.setup_primary(settings);
  }

  // `found` hears the port in the first line that matches.
  Worker fork(const Env& env, const std::string& pattern, Function<void(int)> found) {
    Worker w = cluster.fork(env);
    w.process().stderr_stream().on_data(
        [text = std::string(), regex = std::regex(pattern), found = std::move(found)](std::string_view bytes) mutable {
          text += bytes;
          std::smatch match;
          if (!found || !std::regex_search(text, match, regex)) return;
          Function<void(int)> once = std::exchange(found, nullptr);
          once(std::stoi(match[1]));
        });
    return w;
  }
};

WORKER(SayHello) {
  cluster.process().send("hello");
  cluster.worker()->disconnect();
  return loop.run();
}

// A command of gdb's remote protocol.
std::string remote_command(const std::string& command) {
  unsigned sum = 0;
  for (const char c : command) sum += static_cast<unsigned char>(c);
  char check[3];
  std::snprintf(check, sizeof check, "%02x", sum % 256);
  return "+$" + command + "#" + check;
}

TEST(Inspect, RunsAProgramUnderADebuggerThatStartsIt) {
  Settings settings;
  settings.exec_argv = {{"--inspect"}};
  InspectingPrimary primary(settings);
  net::Socket debugger;
  bool started = false;
  std::string said;
  primary.cluster.on_message([&](Worker, Message& message) {
    EXPECT_TRUE(started);
    said = message.data.as_string();
  });
  // Nothing can look for leaks in a process that is being debugged.
  Worker w =
      primary.fork(worker("SayHello", {{"ASAN_OPTIONS", "detect_leaks=0"}}), "Listening on port ([0-9]+)", [&](int port) {
        debugger = net::connect(primary.loop, port);
        debugger.on_data([&](std::string_view bytes) {
          debugger.write("+");
          // The program has ended: gdbserver does when its debugger goes.
          if (bytes.find("$W") != std::string_view::npos) debugger.end();
        });
        // Why does it stand still? Then let it go on.
        debugger.write(remote_command("?"));
        started = true;
        debugger.write(remote_command("c"));
      });
  std::optional<ExitStatus> status;
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(said, "hello");
  EXPECT_EQ(status, ExitStatus::exited(0));
}

TEST(Inspect, HaltsANodeWorkerBeforeItsProgram) {
  const TemporaryFolder folder;
  Settings settings;
  settings.exec_path = node_program(20);
  settings.exec = folder.write("w.js", "process.send('ran'); setInterval(() => {}, 1000);");
  settings.exec_argv = {{"--inspect-brk"}};
  InspectingPrimary primary(settings);
  primary.cluster.on_message([](Worker, Message&) { ADD_FAILURE() << "it must not run"; });
  std::optional<Worker> w;
  std::optional<ExitStatus> status;
  w = primary.fork({}, "Debugger listening on ws://127.0.0.1:([0-9]+)/", [&](int port) {
    EXPECT_GT(port, 0);
    w->kill();
  });
  w->on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(status, ExitStatus::killed(Signal::term));
}

TEST(Inspect, GivesNodeWorkersPortsOfTheirOwnWhenTheEnvironmentAsks) {
  ::setenv("NODE_OPTIONS", "--inspect", 1);
  const TemporaryFolder folder;
  Settings settings;
  settings.exec_path = node_program(20);
  settings.exec = folder.write("w.js", "process.send(process.execArgv.join());");
  InspectingPrimary primary(settings);
  std::vector<std::string> told;
  int listening = 0;
  primary.cluster.on_message([&](Worker, Message& message) { told.push_back(message.data.as_string()); });
  const auto leave_when_both_listen = [&](int) {
    if (++listening == 2) primary.cluster.disconnect();
  };
  Worker first = primary.fork({}, "Debugger listening on ws://127.0.0.1:([0-9]+)/", leave_when_both_listen);
  Worker second = primary.fork({}, "Debugger listening on ws://127.0.0.1:([0-9]+)/", leave_when_both_listen);

  primary.run();

  EXPECT_EQ(told, (std::vector<std::string>{"--inspect-port=0", "--inspect-port=0"}));
  EXPECT_EQ(first.exited_after_disconnect(), true);
  EXPECT_EQ(second.exited_after_disconnect(), true);
}

TEST(Inspect, RefusesAPortThatIsNone) {
  Primary primary;
  Settings settings;
  settings.exec_argv = {{"--inspect"}};
  settings.inspect_port = 65536;
  primary.cluster.setup_primary(settings);
  try {
    primary.cluster.fork();
    ADD_FAILURE();
  } catch (const Exception& e) {
    EXPECT_EQ(e.code(), Errc::socket_bad_port);
  }
  EXPECT_TRUE(primary.cluster.workers().empty());
  primary.run();
}

}  // namespace
}  // namespace muster::test
