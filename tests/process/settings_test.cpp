// SPDX-License-Identifier: MIT
// What a primary's settings do for its workers.

#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// Sends what it finds around itself, whether that was accepted, and leaves.
WORKER(TellsItsSurroundings) {
  const char* home = std::getenv("HOME");
  const char* added = std::getenv("TESTS_ADDED");
  EXPECT_TRUE(cluster.process().send(Value{{"cwd", std::filesystem::current_path().string()},
                                           {"home", home ? Value(home) : Value(nullptr)},
                                           {"added", added ? Value(added) : Value(nullptr)}}));
  cluster.worker()->disconnect();
  return loop.run();
}

struct AskingPrimary : Primary {
  AskingPrimary() {
    cluster.on_message([this](Worker w, Message& message) { told[w.id()] = message.data; });
  }
  std::map<int, Value> told;
};

TEST(Settings, GiveNewWorkersAFolderToWorkIn) {
  AskingPrimary primary;
  const TemporaryFolder folder;
  EXPECT_EQ(primary.cluster.settings().cwd, std::nullopt);
  primary.cluster.fork(worker("TellsItsSurroundings"));
  Settings settings;
  settings.cwd = folder.path();
  primary.cluster.setup_primary(settings);
  primary.cluster.fork(worker("TellsItsSurroundings"));

  primary.run();

  EXPECT_EQ(primary.told[1]["cwd"], Value(std::filesystem::current_path().string()));
  EXPECT_EQ(primary.told[2]["cwd"], Value(std::filesystem::canonical(folder.path()).string()));
}

TEST(Settings, LetForkAddVariablesChangeThemAndTakeThemAway) {
  AskingPrimary primary;
  setenv("HOME", "/home/of/the/primary", 1);
  primary.cluster.fork(worker("TellsItsSurroundings"));
  primary.cluster.fork(worker("TellsItsSurroundings", {{"HOME", "/elsewhere"}, {"TESTS_ADDED", "x=\"1\" \xc3\xa9"}}));
  primary.cluster.fork(worker("TellsItsSurroundings", {{"HOME", std::nullopt}}));

  primary.run();

  EXPECT_EQ(primary.told[1]["home"], Value("/home/of/the/primary"));
  EXPECT_EQ(primary.told[1]["added"], Value(nullptr));
  EXPECT_EQ(primary.told[2]["home"], Value("/elsewhere"));
  EXPECT_EQ(primary.told[2]["added"], Value("x=\"1\" \xc3\xa9"));
  EXPECT_EQ(primary.told[3]["home"], Value(nullptr));
  EXPECT_STREQ(getenv("HOME"), "/home/of/the/primary") << "a worker's variables are its own";
}

TEST(Settings, AreToldInASetupEventForEachCall) {
  Primary primary;
  std::vector<std::vector<std::string>> told;
  primary.cluster.on_setup([&](const Settings& settings) {
    told.push_back(settings.args.value());
    EXPECT_FALSE(settings.exec.value().empty());
  });
  for (const char* argument : {"first", "second", "third"}) {
    Settings settings;
    settings.args = {{argument}};
    primary.cluster.setup_primary(settings);
    EXPECT_EQ(primary.cluster.settings().args, settings.args) << "in force at once";
  }
  EXPECT_TRUE(told.empty()) << "a listener ran inside the call";

  primary.run();

  EXPECT_EQ(told, (std::vector<std::vector<std::string>>{{"first"}, {"second"}, {"third"}}));
}

TEST(Settings, NameTheProgramThatRunsTheWorkers) {
  AskingPrimary primary;
  Settings settings;
  settings.exec_path = "/usr/bin/env";
  settings.exec_argv = {{"HOME=/of/env"}};
  primary.cluster.setup_primary(settings);
  Worker w = primary.cluster.fork(worker("TellsItsSurroundings"));

  primary.run();

  EXPECT_EQ(w.process().spawn_file(), "/usr/bin/env");
  EXPECT_EQ(primary.told[1]["home"], Value("/of/env"));
}

TEST(Settings, AreEmptyBeforeTheFirstSetup) {
  Primary primary;
  EXPECT_EQ(primary.cluster.settings().exec, std::nullopt);
  EXPECT_EQ(primary.cluster.settings().silent, std::nullopt);

  primary.cluster.setup_primary();

  EXPECT_NE(primary.cluster.settings().exec, std::nullopt);
  EXPECT_EQ(primary.cluster.settings().silent, false);
  EXPECT_EQ(primary.cluster.settings().exec_argv, std::vector<std::string>());
}

}  // namespace
}  // namespace muster::test
