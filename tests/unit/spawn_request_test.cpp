// SPDX-License-Identifier: MIT
#include "core/spawn_request.h"

#include <gtest/gtest.h>
#include <muster/error.h>

namespace muster::core {
namespace {

using Kind = StdioEntry::Kind;

Settings program() {
  Settings settings;
  settings.exec = "/bin/app";
  return settings;
}

TEST(SpawnRequest, RunsAProgramWithItsArguments) {
  Settings settings = program();
  settings.args = {{"-a", "b"}};

  const SpawnRequest request = spawn_request(settings, {}, WorkerId{1});

  EXPECT_EQ(request.file, "/bin/app");
  EXPECT_EQ(request.argv, (std::vector<std::string>{"/bin/app", "-a", "b"}));
}

TEST(SpawnRequest, RunsAScriptWithNode) {
  for (const char* script : {"w.js", "w.mjs", "w.cjs", "w.ts"}) {
    Settings settings;
    settings.exec = script;
    settings.args = {{"arg"}};
    settings.exec_argv = {{"--inspect"}};

    const SpawnRequest request = spawn_request(settings, {}, WorkerId{1});

    EXPECT_EQ(request.file, "node");
    EXPECT_EQ(request.argv, (std::vector<std::string>{"node", "--inspect", script, "arg"}));
  }
}

TEST(SpawnRequest, TakesTheInterpreterItIsTold) {
  Settings settings = program();
  settings.exec_path = "/usr/bin/python3";

  EXPECT_EQ(spawn_request(settings, {}, WorkerId{1}).argv, (std::vector<std::string>{"/usr/bin/python3", "/bin/app"}));
}

TEST(SpawnRequest, TellsAnInterpreterWhereADebuggerWillBe) {
  Settings settings;
  settings.exec = "w.js";
  settings.exec_argv = {{"--inspect-brk"}};

  const SpawnRequest request = spawn_request(settings, {}, WorkerId{1}, Inspection{"127.0.0.1", 9230});

  EXPECT_EQ(request.argv, (std::vector<std::string>{"node", "--inspect-brk", "--inspect-port=9230", "w.js"}));
}

TEST(SpawnRequest, RunsAProgramToBeInspectedUnderADebugger) {
  Settings settings = program();
  settings.args = {{"arg"}};

  const SpawnRequest request = spawn_request(settings, {}, WorkerId{1}, Inspection{"127.0.0.1", 9230});

  EXPECT_EQ(request.file, "gdbserver");
  EXPECT_EQ(request.argv,
            (std::vector<std::string>{"gdbserver", "--once", "--no-startup-with-shell", "127.0.0.1:9230", "/bin/app", "arg"}));
}

TEST(SpawnRequest, NamesTheWorkerInItsEnvironmentWhateverTheProgramSays) {
  const SpawnRequest request =
      spawn_request(program(), {{"A", "1"}, {"B", std::nullopt}, {"NODE_UNIQUE_ID", "99"}}, WorkerId{7});

  EXPECT_EQ(request.env, (Env{{"A", "1"}, {"B", std::nullopt}, {"NODE_UNIQUE_ID", "7"}}));
}

TEST(SpawnRequest, InheritsItsOutputUnlessItIsSilent) {
  Settings settings = program();
  EXPECT_EQ(spawn_request(settings, {}, WorkerId{1}).stdio,
            (Stdio{{Kind::inherit}, {Kind::inherit}, {Kind::inherit}, {Kind::ipc}}));

  settings.silent = true;
  EXPECT_EQ(spawn_request(settings, {}, WorkerId{1}).stdio, (Stdio{{Kind::pipe}, {Kind::pipe}, {Kind::pipe}, {Kind::ipc}}));
}

TEST(SpawnRequest, LetsStdioOverrideSilent) {
  Settings settings = program();
  settings.silent = true;
  settings.stdio = Stdio{{Kind::ipc}, {Kind::inherit}};

  EXPECT_EQ(spawn_request(settings, {}, WorkerId{1}).stdio, (Stdio{{Kind::ipc}, {Kind::inherit}}));
}

Errc refusal(const Settings& settings, const Env& env = {}) {
  try {
    spawn_request(settings, env, WorkerId{1});
  } catch (const Exception& exception) {
    return static_cast<Errc>(exception.code().value());
  }
  return Errc{};
}

TEST(SpawnRequest, WantsExactlyOneChannel) {
  Settings none = program();
  none.stdio = Stdio{{Kind::inherit}};
  Settings two = program();
  two.stdio = Stdio{{Kind::ipc}, {Kind::ipc}};

  EXPECT_EQ(refusal(none), Errc::child_process_ipc_required);
  EXPECT_EQ(refusal(two), Errc::ipc_one_pipe);
}

TEST(SpawnRequest, RefusesAnEnvironmentThatCannotBe) {
  for (const Env& env :
       {Env{{"", "1"}}, Env{{"A=B", "1"}}, Env{{std::string("A\0", 2), "1"}}, Env{{"A", std::string("\0", 1)}}}) {
    EXPECT_EQ(refusal(program(), env), Errc::invalid_arg_value);
  }
}

TEST(SpawnRequest, RefusesTextsThatTheSystemWouldCutAtANul) {
  const std::string text("a\0b", 3);
  Settings exec, exec_path = program(), cwd = program(), args = program(), exec_argv = program();
  exec.exec = exec_path.exec_path = cwd.cwd = text;
  args.args = exec_argv.exec_argv = {{text}};

  for (const Settings& settings : {exec, exec_path, cwd, args, exec_argv})
    EXPECT_EQ(refusal(settings), Errc::invalid_arg_value);
}

TEST(SpawnRequest, CarriesWhatTheSettingsSay) {
  Settings settings = program();
  settings.cwd = "/tmp";
  settings.uid = 1;
  settings.gid = 2;
  settings.max_message_size = 10;

  const SpawnRequest request = spawn_request(settings, {}, WorkerId{1});

  EXPECT_EQ(request.cwd, "/tmp");
  EXPECT_EQ(request.uid, 1);
  EXPECT_EQ(request.gid, 2);
  EXPECT_EQ(request.limits.max_message, 10U);
  EXPECT_EQ(spawn_request(program(), {}, WorkerId{1}).limits.max_message, std::size_t{512} << 20);
}

TEST(MergedSettings, TakeEveryChangeAndKeepTheRest) {
  Settings before = program();
  before.args = {{"x"}};
  before.silent = true;
  Settings changes;
  changes.exec = "other";
  changes.exec_path = "p";
  changes.exec_argv = {{"q"}};
  changes.cwd = "/";
  changes.serialization = Serialization::json;
  changes.stdio = Stdio{{Kind::ipc}};
  changes.uid = 1;
  changes.gid = 2;
  changes.max_message_size = 3;

  Settings expected = changes;
  expected.args = {{"x"}};
  expected.silent = true;

  EXPECT_EQ(merged(before, changes), expected);
  EXPECT_EQ(merged(before, {}), before);
  EXPECT_EQ(merged({}, before), before);
}

}  // namespace
}  // namespace muster::core
