// SPDX-License-Identifier: MIT
// Every cell of the matrix: muster and one peer, one as the primary and the other as its worker, do one thing.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include <gtest/gtest.h>

#include "interop/matrix/cells.h"
#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {

static void PrintTo(const Cell& cell, std::ostream* out) { *out << cell.name(); }

namespace {

// Seconds. A cell that is known to fail is not waited for as long.
constexpr const char* patience = "30";
constexpr const char* patience_with_a_failure = "3";

std::string program_of(const Peer& peer) {
  std::string name = peer.name;
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* folder : {"/build/peers/", "/build/more-peers/"}) {
    const std::string path = MUSTER_SOURCE_DIR + (folder + name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  // A test that cannot be run has failed.
  throw std::runtime_error(name + " is missing: ./dev interop installs it");
}

ProgramResult play(const Cell& cell) {
  const TemporaryFolder folder;
  const bool deno = std::string_view(cell.peer->name) == "Deno";
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string peer = program_of(*cell.peer);
  Env env{{"MATRIX_ACTION", cell.action->name},
          {"MATRIX_FOLDER", folder.path()},
          {"MATRIX_PEER", cell.peer->name},
          {"MATRIX_SERIALIZATION", cell.serialization == Serialization::json ? "json" : "advanced"},
          {"NODE_CLUSTER_SCHED_POLICY", cell.policy == SchedulingPolicy::none ? "none" : "rr"},
          {"NO_COLOR", "1"}};
  std::vector<std::string> command{"timeout", "-s", "KILL", cell.reason() ? patience_with_a_failure : patience};
  if (cell.role == Role::primary) {
    env["MATRIX_PROGRAM"] = peer;
    command.push_back(self);
    env = worker("MatrixPrimary", std::move(env));
  } else {
    env["MATRIX_PROGRAM"] = self;
    command.push_back(peer);
    if (deno) command.insert(command.end(), {"run", "-A", "--quiet"});
    command.push_back(MUSTER_SOURCE_DIR "/tests/interop/matrix/peer_primary.cjs");
  }
  return run_program(command, env);
}

// What a primary says begins with "> ". Sorted: a worker's exit may be noticed before the end of its channel.
std::vector<std::string> said(const std::string& output) {
  std::vector<std::string> lines;
  std::istringstream in(output);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("> ")) lines.push_back(line.substr(2));
  }
  std::ranges::sort(lines);
  return lines;
}

class Matrix : public testing::TestWithParam<Cell> {};

TEST_P(Matrix, Works) {
  const Cell& cell = GetParam();
  std::vector<std::string> expected = cell.transcript();
  std::ranges::sort(expected);

  const ProgramResult result = play(cell);

  if (const char* reason = cell.reason()) {
    EXPECT_NE(said(result.output), expected) << "It works now. The table in cells.cpp says that it does not: " << reason;
  } else {
    EXPECT_EQ(said(result.output), expected) << result.output.substr(0, 4000);
  }
}

const auto name_of = [](const testing::TestParamInfo<Cell>& info) { return info.param.name(); };
INSTANTIATE_TEST_SUITE_P(MusterPrimary, Matrix, testing::ValuesIn(cells(Role::primary)), name_of);
INSTANTIATE_TEST_SUITE_P(MusterWorker, Matrix, testing::ValuesIn(cells(Role::worker)), name_of);

// ./dev interop sets TESTS_WRITE.
TEST(MatrixDocument, SaysWhatTheTableSays) {
  const char* const path = MUSTER_SOURCE_DIR "/docs/interop.md";
  if (std::getenv("TESTS_WRITE")) std::ofstream(path) << document();

  std::ostringstream written;
  written << std::ifstream(path).rdbuf();

  EXPECT_EQ(written.str(), document()) << "./dev interop writes it anew";
}

}  // namespace
}  // namespace muster::test
