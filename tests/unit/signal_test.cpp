// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <muster/signal.h>

#include <csignal>

namespace muster {
namespace {

// Node's os.constants.signals on Linux.
constexpr std::pair<const char*, int> node_signals[] = {
    {"SIGHUP", 1},    {"SIGINT", 2},   {"SIGQUIT", 3},  {"SIGILL", 4},     {"SIGTRAP", 5},  {"SIGABRT", 6},    {"SIGIOT", 6},
    {"SIGBUS", 7},    {"SIGFPE", 8},   {"SIGKILL", 9},  {"SIGUSR1", 10},   {"SIGSEGV", 11}, {"SIGUSR2", 12},   {"SIGPIPE", 13},
    {"SIGALRM", 14},  {"SIGTERM", 15}, {"SIGCHLD", 17}, {"SIGSTKFLT", 16}, {"SIGCONT", 18}, {"SIGSTOP", 19},   {"SIGTSTP", 20},
    {"SIGTTIN", 21},  {"SIGTTOU", 22}, {"SIGURG", 23},  {"SIGXCPU", 24},   {"SIGXFSZ", 25}, {"SIGVTALRM", 26}, {"SIGPROF", 27},
    {"SIGWINCH", 28}, {"SIGIO", 29},   {"SIGPOLL", 29}, {"SIGPWR", 30},    {"SIGSYS", 31}};

TEST(Signal, HasEveryNameThatNodeKnows) {
  for (const auto& [name, number] : node_signals) EXPECT_EQ(Signal::from_name(name), Signal(number)) << name;
}

TEST(Signal, IsPrintedByNodesName) {
  for (const auto& [name, number] : node_signals) {
    // Of two names for one signal Node prints these.
    if (std::string_view(name) == "SIGIOT" || std::string_view(name) == "SIGPOLL") continue;
    EXPECT_EQ(Signal(number).name(), name);
  }
}

TEST(Signal, IsPrintedByNumberWhereItHasNoName) { EXPECT_EQ(Signal(SIGRTMAX).name(), "SIG64"); }

TEST(Signal, DoesNotReadWhatIsNoName) {
  for (const char* name : {"", "SIG", "TERM", "sigterm", "SIGNOPE", "SIG0", "15"})
    EXPECT_EQ(Signal::from_name(name), std::nullopt) << name;
}

}  // namespace
}  // namespace muster
