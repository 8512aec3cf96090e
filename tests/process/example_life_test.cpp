// SPDX-License-Identifier: MIT
// The programs in examples/ that end by themselves: what they print.

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

#include "support/example.h"

namespace muster::test {
namespace {

// For what processes print in any order.
std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

using Lines = std::vector<std::string>;

TEST(Example, EchoMessagesHearsItselfAndEnds) {
  const ProgramResult result = run_example("echo_messages");

  EXPECT_EQ(result.output, "the worker said: hi there\n");
  EXPECT_EQ(result.exit_code, 0);
}

TEST(Example, WorkerEventsTellsTheLifeOfOneWorker) {
  const ProgramResult result = run_example("worker_events", {{"PORT", "0"}});

  EXPECT_EQ(count_matches(result.output,
                          "^the worker is online\nthe worker listens on port [1-9][0-9]*\nthe worker has disconnected\n$"),
            1U)
      << result.output;
  EXPECT_EQ(result.exit_code, 0);
}

TEST(Example, ClusterEventsTellsTheLivesOfAllWorkers) {
  const ProgramResult result = run_example("cluster_events", {{"PORT", "0"}, {"WORKERS", "2"}});

  EXPECT_EQ(count_matches(result.output, "\n"), 6U) << result.output;
  for (const std::string worker : {"worker #1", "worker #2"}) {
    const std::size_t online = result.output.find(worker + " has answered\n");
    const std::size_t listening = result.output.find(worker + " listens on 127.0.0.1:");
    const std::size_t gone = result.output.find(worker + " has disconnected\n");
    EXPECT_TRUE(online < listening && listening < gone && gone != std::string::npos) << result.output;
  }
  EXPECT_EQ(result.exit_code, 0);
}

TEST(Example, ExitReasonsTellsASignalACodeAndSuccess) {
  const ProgramResult result = run_example("exit_reasons");

  EXPECT_EQ(sorted_lines(result.output),
            (Lines{"a worker exited with error code: 3", "a worker succeeded", "a worker was killed by signal: SIGHUP"}));
  EXPECT_EQ(result.exit_code, 0);
}

TEST(Example, VoluntaryExitTellsWhoWasAskedToLeave) {
  const ProgramResult result = run_example("voluntary_exit");

  EXPECT_EQ(sorted_lines(result.output),
            (Lines{"worker 1 left as it was asked to", "worker 2 is missed", "worker 3 left as it was asked to"}));
  EXPECT_EQ(result.exit_code, 0);
}

TEST(Example, SetupPrimaryGivesEachWorkerItsArguments) {
  const ProgramResult result = run_example("setup_primary");

  EXPECT_EQ(sorted_lines(result.output), (Lines{"worker 1 said: I use https", "worker 2 said: I use http"}));
  EXPECT_EQ(result.exit_code, 0);
}

TEST(Example, WhichWorkerTellsEachWhoItIs) {
  const ProgramResult result = run_example("which_worker");

  EXPECT_TRUE(result.output.starts_with("I am primary\n")) << result.output;
  EXPECT_EQ(sorted_lines(result.output), (Lines{"I am primary", "I am worker #1", "I am worker #2"}));
  EXPECT_EQ(result.exit_code, 0);
}

TEST(Example, AnnouncementReachesEveryWorker) {
  const ProgramResult result = run_example("announcement", {{"WORKERS", "3"}});

  EXPECT_EQ(sorted_lines(result.output),
            (Lines{"worker 1 heard: we close at six", "worker 2 heard: we close at six", "worker 3 heard: we close at six"}));
  EXPECT_EQ(result.exit_code, 0);
}

TEST(ForkTimeouts, SpareAWorkerThatListens) {
  const ProgramResult result = run_example("fork_timeouts", {{"PORT", "0"}, {"WORKERS", "2"}, {"PATIENCE_MS", "60000"}});

  EXPECT_EQ(sorted_lines(result.output),
            (Lines{"worker 1 has ended: 0", "worker 1 listens in time", "worker 2 has ended: 0", "worker 2 listens in time"}));
  EXPECT_EQ(result.exit_code, 0);
}

TEST(ForkTimeouts, KillAWorkerThatDoesNot) {
  const ProgramResult result = run_example("fork_timeouts", {{"MUTE", "1"}, {"WORKERS", "1"}, {"PATIENCE_MS", "50"}});

  EXPECT_EQ(result.output, "worker 1 does not listen: killing it\nworker 1 has ended: SIGTERM\n");
  EXPECT_EQ(result.exit_code, 0);
}

}  // namespace
}  // namespace muster::test
