// SPDX-License-Identifier: MIT
#include "core/reload.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

namespace muster::core {
namespace {

using Strings = std::vector<std::string>;

std::string text(RunId run) { return std::to_string(static_cast<std::uint32_t>(run)); }

// "fork 3 on 0", "drain 1", "term 1", "kill 1", "reloaded 2 of 3", "abandoned: why".
Strings effects(Reload& reload) {
  struct Describe {
    std::string operator()(const Runs::Fork& e) const { return "fork " + text(e.run) + " on " + std::to_string(e.seat); }
    std::string operator()(const Runs::Drain& e) const { return "drain " + text(e.run); }
    std::string operator()(const Runs::Terminate& e) const { return "term " + text(e.run); }
    std::string operator()(const Runs::Kill& e) const { return "kill " + text(e.run); }
    std::string operator()(const Reload::Ended& e) const {
      if (!e.result.ok()) return "abandoned: " + e.result.why;
      return "reloaded " + std::to_string(e.result.replaced) + " of " + std::to_string(e.result.wanted);
    }
  };
  Strings all;
  while (const auto effect = reload.poll_effect()) all.push_back(std::visit(Describe(), *effect));
  return all;
}

const ExitStatus ended = ExitStatus::exited(0);

TEST(Reload, ReplacesOneAfterTheOtherNewWorkersFirst) {
  Reload reload(2, {}, 0);
  EXPECT_EQ(effects(reload), Strings{"fork 3 on 0"});

  reload.handle_ready(RunId{3}, 5);
  EXPECT_EQ(effects(reload), (Strings{"drain 1", "fork 4 on 1"}));
  reload.handle_ready(RunId{4}, 9);

  EXPECT_EQ(effects(reload), (Strings{"drain 2", "reloaded 2 of 2"}));
  EXPECT_FALSE(reload.over());
  reload.handle_exited(RunId{1}, ended, 10);
  reload.handle_exited(RunId{2}, ended, 11);
  EXPECT_TRUE(reload.over());
}

TEST(Reload, ReplacesSeveralAtATime) {
  Reload reload(3, {.parallel = 2}, 0);
  EXPECT_EQ(effects(reload), (Strings{"fork 4 on 0", "fork 5 on 1"}));

  reload.handle_ready(RunId{5}, 1);

  EXPECT_EQ(effects(reload), (Strings{"drain 2", "fork 6 on 2"}));
}

TEST(Reload, IsAbandonedWhenANewWorkerDiesAndEndsTheOthers) {
  Reload reload(3, {.parallel = 3}, 0);
  effects(reload);

  reload.handle_exited(RunId{5}, ExitStatus::exited(3), 1);

  EXPECT_EQ(effects(reload),
            (Strings{"term 4", "term 6", "abandoned: worker 2 of the new version ended before it was ready, exit code 3"}));
  reload.handle_exited(RunId{4}, ended, 2);
  EXPECT_FALSE(reload.over());
  reload.handle_exited(RunId{6}, ended, 2);
  EXPECT_TRUE(reload.over());
}

TEST(Reload, IsAbandonedWhenANewWorkerIsNotReadyInTime) {
  Reload reload(1, {.timeouts = {.ready = 100}}, 0);
  effects(reload);
  EXPECT_EQ(reload.next_deadline(), 100U);

  reload.handle_time(100);
  EXPECT_EQ(effects(reload), Strings{"term 2"});
  reload.handle_exited(RunId{2}, ended, 110);

  EXPECT_EQ(effects(reload), Strings{"abandoned: worker 1 of the new version was not ready within 100 ms"});
}

TEST(Reload, AsksADrainingWorkerBySignalAndKillsItAtLast) {
  Reload reload(1, {.timeouts = {.drain = 50, .kill = 20}}, 0);
  effects(reload);
  reload.handle_ready(RunId{2}, 0);
  effects(reload);

  reload.handle_time(50);
  EXPECT_EQ(effects(reload), Strings{"term 1"});
  reload.handle_time(70);
  EXPECT_EQ(effects(reload), Strings{"kill 1"});
}

TEST(Reload, GivesNoSuccessorToAWorkerThatEndedByItself) {
  Reload reload(2, {}, 0);
  effects(reload);
  reload.handle_exited(RunId{2}, ended, 1);

  reload.handle_ready(RunId{3}, 2);

  EXPECT_EQ(effects(reload), (Strings{"drain 1", "reloaded 1 of 2"}));
}

// Whatever happens in whatever order: it ends once, nobody is drained before there is another, and nobody is left in a phase
// that has no end.
TEST(Reload, EndsWhateverHappens) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](unsigned limit) { return static_cast<unsigned>(random() % limit); };
    const unsigned workers = below(5);
    Reload reload(workers, {.parallel = 1 + below(3), .timeouts = {100, 100, 100}}, 0);
    std::set<RunId> alive, ready;
    for (unsigned i = 1; i <= workers; ++i) alive.insert(RunId{i});
    unsigned ends = 0;
    std::uint64_t now = 0;
    const auto take = [&] {
      while (const auto effect = reload.poll_effect()) {
        if (const auto* fork = std::get_if<Runs::Fork>(&*effect)) {
          EXPECT_TRUE(alive.contains(reload.old_run(fork->seat))) << seed;
          alive.insert(fork->run);
        } else if (const auto* kill = std::get_if<Runs::Kill>(&*effect)) {
          alive.erase(kill->run);
          reload.handle_exited(kill->run, ExitStatus::killed(Signal::kill), now);
        } else if (std::holds_alternative<Runs::Drain>(*effect)) {
          EXPECT_FALSE(ready.empty()) << seed;
        } else if (std::holds_alternative<Reload::Ended>(*effect)) {
          ++ends;
        }
      }
    };
    take();
    for (int step = 0; step < 1000 && !(reload.over() && ends == 1); ++step) {
      now += below(40);
      if (!alive.empty()) {
        const RunId run = *std::next(alive.begin(), below(static_cast<unsigned>(alive.size())));
        switch (below(6)) {
          case 0:
          case 1:
            reload.handle_ready(run, now);
            ready.insert(run);
            break;
          case 2:
            alive.erase(run);
            reload.handle_exited(run, ended, now, below(2) == 0);
            break;
          default: break;
        }
      }
      take();
      reload.handle_time(now);
      take();
    }
    EXPECT_EQ(ends, 1U) << seed;
    EXPECT_TRUE(reload.over()) << seed;
  }
}

}  // namespace
}  // namespace muster::core
