// SPDX-License-Identifier: MIT
#include "core/supervisor.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

namespace muster::core {
namespace {

using Cause = EndCause;
using State = SupervisorState;
using Strings = std::vector<std::string>;

const ExitStatus killed = ExitStatus::killed(Signal::kill);

// "fork 1 on 1", "drain 1", "term 1", "kill 1", "died 1 crashed", "reloaded 2", "abandoned: why", "failed: why", "stopped".
Strings effects(Supervisor& supervisor) {
  const auto text = [](RunId run) { return std::to_string(static_cast<std::uint32_t>(run)); };
  Strings all;
  while (const auto effect = supervisor.poll_effect()) {
    if (const auto* fork = std::get_if<Supervisor::Fork>(&*effect)) {
      all.push_back("fork " + text(fork->run) + " on " + std::to_string(fork->seat));
    } else if (const auto* drain = std::get_if<Supervisor::Drain>(&*effect)) {
      all.push_back("drain " + text(drain->run));
    } else if (const auto* term = std::get_if<Supervisor::Terminate>(&*effect)) {
      all.push_back("term " + text(term->run));
    } else if (const auto* kill = std::get_if<Supervisor::Kill>(&*effect)) {
      all.push_back("kill " + text(kill->run));
    } else if (const auto* hung = std::get_if<Supervisor::Hung>(&*effect)) {
      all.push_back("hung " + text(hung->run) + " for " + std::to_string(hung->silence));
    } else if (const auto* died = std::get_if<Supervisor::Died>(&*effect)) {
      all.push_back("died " + text(died->run) + " " + std::string(to_string(died->cause)));
    } else if (const auto* ended = std::get_if<Supervisor::ReloadEnded>(&*effect)) {
      all.push_back(ended->result.ok() ? "reloaded " + std::to_string(ended->result.replaced)
                                       : "abandoned: " + ended->result.why);
    } else if (const auto* failed = std::get_if<Supervisor::Failed>(&*effect)) {
      all.push_back("failed: " + failed->why);
    } else {
      all.emplace_back("stopped");
    }
  }
  return all;
}

// With `workers`, all ready at time 0, by the numbers 1, 2, ...
Supervisor running(Supervisor::Options options) {
  Supervisor supervisor(options, 1);
  supervisor.start(0);
  for (unsigned run = 1; run <= options.workers; ++run) supervisor.handle_ready(RunId{run}, 0);
  effects(supervisor);
  return supervisor;
}

TEST(Supervisor, StartsAWorkerOnEachSeat) {
  Supervisor supervisor({.workers = 2}, 1);
  supervisor.start(0);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 1 on 1", "fork 2 on 2"}));
  EXPECT_EQ(supervisor.state(), State::starting);

  supervisor.handle_ready(RunId{2}, 5);
  EXPECT_EQ(supervisor.state(), State::running);
  EXPECT_EQ(supervisor.ready(), 1U);
}

TEST(Supervisor, StartsNoMoreAtATimeThanItMay) {
  Supervisor supervisor({.workers = 5, .starting = 2}, 1);
  supervisor.start(0);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 1 on 1", "fork 2 on 2"}));
  supervisor.handle_ready(RunId{2}, 5);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 3 on 3"}));
  supervisor.handle_exited(RunId{1}, killed, 6);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 4 on 1", "died 1 never became ready"}));
  EXPECT_FALSE(supervisor.scale(6, 7));
  EXPECT_EQ(effects(supervisor), Strings{});
  for (const unsigned run : {3, 4, 5, 6, 7}) supervisor.handle_ready(RunId{run}, 8);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 5 on 4", "fork 6 on 5", "fork 7 on 6"}));
  EXPECT_EQ(supervisor.ready(), 6U);
}

TEST(Supervisor, StartsNobodyWhoWaitsForThatWhenItStops) {
  Supervisor supervisor({.workers = 3, .starting = 1}, 1);
  supervisor.start(0);
  supervisor.stop(1);
  supervisor.handle_exited(RunId{1}, killed, 2);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 1 on 1", "term 1", "died 1 stop", "stopped"}));
}

TEST(Supervisor, StartsAnotherAtOnceForOneThatDied) {
  auto supervisor = running({.workers = 2});
  supervisor.handle_exited(RunId{1}, killed, 100);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 3 on 1", "died 1 crashed"}));
  EXPECT_EQ(supervisor.restarts(), 1U);
}

TEST(Supervisor, TellsWhoExitedFromWhoCrashedAndWhoWasNeverReady) {
  auto supervisor = running({.workers = 3});
  supervisor.handle_exited(RunId{1}, ExitStatus::exited(0), 1);
  supervisor.handle_exited(RunId{2}, ExitStatus::exited(3), 1);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 4 on 1", "died 1 exited", "fork 5 on 2", "died 2 crashed"}));
  supervisor.handle_exited(RunId{4}, ExitStatus::exited(0), 2);
  EXPECT_EQ(effects(supervisor), (Strings{"died 4 never became ready"}));
}

TEST(Supervisor, WaitsLongerBeforeEachTryOfOneThatKeepsDying) {
  auto supervisor = running({.workers = 1, .backoff = 100, .max_backoff = 1000});
  supervisor.handle_exited(RunId{1}, killed, 0);
  effects(supervisor);
  supervisor.handle_exited(RunId{2}, killed, 0);
  EXPECT_EQ(effects(supervisor), (Strings{"died 2 never became ready"}));
  const auto at = supervisor.next_deadline();
  ASSERT_TRUE(at);
  EXPECT_GE(*at, 50U);
  EXPECT_LE(*at, 100U);

  supervisor.handle_time(*at);

  EXPECT_EQ(effects(supervisor), (Strings{"fork 3 on 1"}));
}

TEST(Supervisor, TakesTheDeathOfOneThatWasWellForANewFailure) {
  auto supervisor = running({.workers = 1});
  supervisor.handle_exited(RunId{1}, killed, 0);
  supervisor.handle_ready(RunId{2}, 0);
  supervisor.handle_exited(RunId{2}, killed, 60'000);
  EXPECT_EQ(effects(supervisor).back(), "died 2 crashed");
  EXPECT_EQ(supervisor.seats().at(1).current, RunId{3});
}

TEST(Supervisor, IsDegradedWhileASeatHasNoReadyWorker) {
  auto supervisor = running({.workers = 2});
  EXPECT_EQ(supervisor.health(0), Health::well);
  supervisor.handle_exited(RunId{2}, killed, 0);
  EXPECT_EQ(supervisor.health(0), Health::degraded);
  supervisor.handle_ready(RunId{3}, 10);
  EXPECT_EQ(supervisor.health(10), Health::well);
}

TEST(Supervisor, IsInACrashLoopFromTheThirdFailureInARowUntilAWorkerLasts) {
  auto supervisor = running({.workers = 2, .backoff = 0, .max_restarts = 0, .restart_window = 60'000});
  std::uint64_t now = 0;
  // Longer than a backoff lasts, so that each comes at once.
  for (unsigned run = 2; run <= 4; ++run) {
    EXPECT_NE(supervisor.health(now), Health::crash_loop);
    supervisor.handle_exited(RunId{run}, killed, now += 12'000);
    supervisor.handle_ready(RunId{run + 1}, now);
  }
  EXPECT_EQ(supervisor.health(now), Health::crash_loop);
  EXPECT_EQ(supervisor.health(now + 59'999), Health::crash_loop);
  EXPECT_EQ(supervisor.health(now + 60'000), Health::well);
  supervisor.handle_exited(RunId{5}, killed, now + 60'000);
  EXPECT_EQ(supervisor.health(now + 60'000), Health::degraded);
}

TEST(Supervisor, GivesANewVersionACrashLoopAnew) {
  auto supervisor = running({.workers = 1, .backoff = 0, .max_restarts = 0});
  for (unsigned run = 1; run <= 3; ++run) {
    supervisor.handle_exited(RunId{run}, killed, 10'000 * run);
    supervisor.handle_ready(RunId{run + 1}, 10'000 * run);
  }
  EXPECT_EQ(supervisor.health(30'000), Health::crash_loop);
  supervisor.reload(30'000);
  supervisor.handle_ready(RunId{5}, 30'000);
  EXPECT_EQ(supervisor.health(30'000), Health::well);
}

TEST(Supervisor, FailsSoonWhenNoneWasEverReady) {
  Supervisor supervisor({.workers = 1}, 1);
  supervisor.start(0);
  std::uint64_t now = 0;
  for (unsigned run = 1; run <= 3; ++run) {
    supervisor.handle_exited(RunId{run}, ExitStatus::exited(1), now);
    if (const auto next = supervisor.next_deadline()) supervisor.handle_time(now = *next);
  }
  const auto all = effects(supervisor);
  EXPECT_EQ(supervisor.state(), State::failed);
  EXPECT_EQ(all[all.size() - 2], "failed: no worker ever became ready: worker 1 ended with exit code 1, after 3 tries");
  EXPECT_EQ(all.back(), "stopped");
}

TEST(Supervisor, FailsWhenItsBudgetOfRestartsIsSpent) {
  auto supervisor = running({.workers = 2, .backoff = 0, .max_restarts = 2});
  for (unsigned run = 2; run <= 6; ++run) {
    supervisor.handle_time(10 + run);
    supervisor.handle_ready(RunId{run}, 10 + run);
    supervisor.handle_exited(RunId{run}, killed, 10 + run);
  }
  const auto all = effects(supervisor);
  EXPECT_EQ(supervisor.state(), State::failed);
  EXPECT_EQ(all[all.size() - 1], "failed: more than 4 restarts within 60 s: worker 2 ended last, with signal SIGKILL");
  // The other one is let go.
  EXPECT_EQ(all[all.size() - 2], "drain 1");
  supervisor.handle_exited(RunId{1}, ExitStatus::exited(0), 20);
  EXPECT_EQ(effects(supervisor), (Strings{"died 1 stop", "stopped"}));
}

TEST(Supervisor, EndsAWorkerThatIsNotReadyInTime) {
  Supervisor supervisor({.workers = 1, .ready_timeout = 1000, .kill_timeout = 500}, 1);
  supervisor.start(0);
  effects(supervisor);
  EXPECT_EQ(supervisor.next_deadline(), 1000U);
  supervisor.handle_time(1000);
  EXPECT_EQ(effects(supervisor), (Strings{"term 1"}));
  supervisor.handle_time(1500);
  EXPECT_EQ(effects(supervisor), (Strings{"kill 1"}));
  supervisor.handle_exited(RunId{1}, killed, 1501);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 2 on 1", "died 1 never became ready"}));
}

TEST(Supervisor, ReloadsOneAfterTheOtherNewWorkersFirst) {
  auto supervisor = running({.workers = 2});
  EXPECT_FALSE(supervisor.reload(100));
  EXPECT_EQ(effects(supervisor), (Strings{"fork 3 on 1"}));
  EXPECT_EQ(supervisor.state(), State::reloading);

  supervisor.handle_ready(RunId{3}, 200);
  EXPECT_EQ(effects(supervisor), (Strings{"drain 1", "fork 4 on 2"}));
  supervisor.handle_ready(RunId{4}, 300);
  EXPECT_EQ(effects(supervisor), (Strings{"drain 2", "reloaded 2"}));
  EXPECT_EQ(supervisor.state(), State::running);

  supervisor.handle_exited(RunId{1}, ExitStatus::exited(0), 400);
  supervisor.handle_exited(RunId{2}, ExitStatus::exited(0), 400);
  EXPECT_EQ(effects(supervisor), (Strings{"died 1 reload", "died 2 reload"}));
  EXPECT_EQ(supervisor.restarts(), 0U);
}

TEST(Supervisor, ReloadsSeveralAtATime) {
  auto supervisor = running({.workers = 3, .parallel = 2});
  supervisor.reload(0);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 4 on 1", "fork 5 on 2"}));
  supervisor.handle_ready(RunId{5}, 0);
  EXPECT_EQ(effects(supervisor), (Strings{"drain 2", "fork 6 on 3"}));
}

TEST(Supervisor, AbandonsAReloadWhoseNewWorkerDies) {
  auto supervisor = running({.workers = 2});
  supervisor.reload(0);
  effects(supervisor);
  supervisor.handle_exited(RunId{3}, ExitStatus::exited(1), 10);
  EXPECT_EQ(effects(supervisor), (Strings{"died 3 never became ready",
                                          "abandoned: worker 1 of the new version ended before it was ready, exit code 1"}));
  EXPECT_EQ(supervisor.state(), State::running);
  EXPECT_EQ(supervisor.ready(), 2U);
  EXPECT_EQ(supervisor.restarts(), 0U);
}

TEST(Supervisor, AbandonsAReloadWhoseNewWorkerIsNotReadyInTimeAndEndsTheOthersOfIt) {
  auto supervisor = running({.workers = 2, .parallel = 2, .ready_timeout = 1000});
  supervisor.reload(0);
  effects(supervisor);
  supervisor.handle_time(1000);
  EXPECT_EQ(effects(supervisor), (Strings{"term 3", "term 4"}));
  supervisor.handle_exited(RunId{4}, ExitStatus::killed(Signal::term), 1010);
  EXPECT_EQ(effects(supervisor),
            (Strings{"died 4 never became ready", "abandoned: worker 2 of the new version was not ready within 1 s"}));
  supervisor.handle_exited(RunId{3}, ExitStatus::killed(Signal::term), 1020);
  EXPECT_EQ(effects(supervisor), (Strings{"died 3 never became ready"}));
  EXPECT_EQ(supervisor.ready(), 2U);
}

TEST(Supervisor, GoesOnWithAReloadWhenAnOldWorkerDiesMeanwhile) {
  auto supervisor = running({.workers = 1});
  supervisor.reload(0);
  effects(supervisor);
  supervisor.handle_exited(RunId{1}, killed, 1);
  EXPECT_EQ(effects(supervisor), (Strings{"died 1 crashed"}));
  supervisor.handle_ready(RunId{2}, 2);
  EXPECT_EQ(effects(supervisor), (Strings{"reloaded 1"}));
}

TEST(Supervisor, RefusesASecondReloadMeanwhile) {
  auto supervisor = running({.workers = 1});
  supervisor.reload(0);
  EXPECT_EQ(supervisor.reload(1), "a reload is under way");
  EXPECT_EQ(supervisor.scale(3, 1), "a reload is under way");
}

TEST(Supervisor, AsksADrainingWorkerBySignalAndKillsItAtLast) {
  auto supervisor = running({.workers = 1, .drain_timeout = 1000, .kill_timeout = 500});
  supervisor.stop(0);
  EXPECT_EQ(effects(supervisor), (Strings{"drain 1"}));
  supervisor.handle_time(1000);
  EXPECT_EQ(effects(supervisor), (Strings{"term 1"}));
  supervisor.handle_time(1500);
  EXPECT_EQ(effects(supervisor), (Strings{"kill 1"}));
  supervisor.handle_exited(RunId{1}, killed, 1501);
  EXPECT_EQ(effects(supervisor), (Strings{"died 1 stop", "stopped"}));
  EXPECT_EQ(supervisor.state(), State::stopped);
}

TEST(Supervisor, StopsWhileOneWaitsForItsNextTry) {
  auto supervisor = running({.workers = 1});
  supervisor.handle_exited(RunId{1}, killed, 0);
  supervisor.handle_exited(RunId{2}, killed, 0);
  effects(supervisor);
  supervisor.stop(1);
  EXPECT_EQ(effects(supervisor), (Strings{"stopped"}));
  supervisor.handle_time(1'000'000);
  EXPECT_EQ(effects(supervisor), Strings{});
}

TEST(Supervisor, ScalesUpAndDown) {
  auto supervisor = running({.workers = 1});
  EXPECT_FALSE(supervisor.scale(3, 0));
  EXPECT_EQ(effects(supervisor), (Strings{"fork 2 on 2", "fork 3 on 3"}));
  supervisor.handle_ready(RunId{2}, 0);
  EXPECT_FALSE(supervisor.scale(1, 1));
  // The one that was not ready has nothing to finish.
  EXPECT_EQ(effects(supervisor), (Strings{"term 3", "drain 2"}));
  supervisor.handle_exited(RunId{2}, ExitStatus::exited(0), 2);
  supervisor.handle_exited(RunId{3}, ExitStatus::killed(Signal::term), 2);
  EXPECT_EQ(effects(supervisor), (Strings{"died 2 scale", "died 3 scale"}));
  EXPECT_EQ(supervisor.seats().size(), 1U);
}

TEST(Supervisor, ReplacesAWorkerThatIsOverItsLimitBeforeItGoes) {
  auto supervisor = running({.workers = 1});
  supervisor.replace(RunId{1}, Cause::memory, 0);
  supervisor.replace(RunId{1}, Cause::memory, 1);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 2 on 1"}));
  supervisor.handle_ready(RunId{2}, 2);
  EXPECT_EQ(effects(supervisor), (Strings{"drain 1"}));
  supervisor.handle_exited(RunId{1}, ExitStatus::exited(0), 3);
  EXPECT_EQ(effects(supervisor), (Strings{"died 1 memory"}));
}

// One whose successors are over it as soon as they are ready is a loop, and not replaced as often as somebody finds that.
TEST(Supervisor, TakesItsTimeWhereEveryWorkerIsOverALimit) {
  auto supervisor = running({.workers = 1, .backoff = 1000});
  std::uint64_t now = 0;
  for (std::uint32_t id = 1; id < 6; ++id) {
    supervisor.replace(RunId{id}, Cause::memory, now);
    int asked = 0;
    while (effects(supervisor).empty() && ++asked < 1000) supervisor.replace(RunId{id}, Cause::memory, now += 100);
    // The first time it is done at once, as a worker that has failed is tried again at once.
    EXPECT_GE(asked, id > 2 ? 4 : 0) << id;
    supervisor.handle_ready(RunId{id + 1}, now);
    supervisor.handle_exited(RunId{id}, ExitStatus::exited(0), now);
    effects(supervisor);
  }
  EXPECT_EQ(supervisor.health(now), Health::crash_loop);
  // After a while that it was well it is done at once again.
  supervisor.replace(RunId{6}, Cause::memory, now + 60'000);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 7 on 1"}));
}

TEST(Supervisor, ReplacesAWorkerThatIsOldEnough) {
  auto supervisor = running({.workers = 1, .max_age = 10'000});
  const auto at = supervisor.next_deadline();
  ASSERT_TRUE(at);
  EXPECT_GE(*at, 10'000U);
  EXPECT_LE(*at, 11'000U);
  supervisor.handle_time(*at);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 2 on 1"}));
}

TEST(Supervisor, KillsAWorkerThatHangsAndStartsAnother) {
  auto supervisor = running({.workers = 1});
  supervisor.put_down(RunId{1}, Cause::hung);
  EXPECT_EQ(effects(supervisor), (Strings{"kill 1"}));
  supervisor.handle_exited(RunId{1}, killed, 1);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 2 on 1", "died 1 hung"}));
}

TEST(Supervisor, TellsOnceOfOneThatIsSilentForTooLong) {
  auto supervisor = running({.workers = 3, .heartbeat = 1500});
  supervisor.handle_heard(RunId{1}, 100);
  supervisor.handle_heard(RunId{2}, 100);
  for (std::uint64_t now = 1000; now <= 5000; now += 1000) {
    supervisor.handle_heard(RunId{2}, now);
    supervisor.look(now);
  }
  // Not of 3, which never said anything.
  EXPECT_EQ(effects(supervisor), (Strings{"hung 1 for 1900"}));
}

TEST(Supervisor, DoesNotMissOneWhileItStarts) {
  Supervisor supervisor({.workers = 1, .ready_timeout = 0, .heartbeat = 1500}, 1);
  supervisor.start(0);
  supervisor.handle_heard(RunId{1}, 0);
  for (std::uint64_t now = 1000; now <= 5000; now += 1000) supervisor.look(now);
  supervisor.handle_ready(RunId{1}, 5500);
  supervisor.look(6000);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 1 on 1"}));
  supervisor.look(7000);
  supervisor.look(8000);
  EXPECT_EQ(effects(supervisor), (Strings{"hung 1 for 2500"}));
}

TEST(Supervisor, MissesNobodyWhenItStoodStillItself) {
  auto supervisor = running({.workers = 2, .heartbeat = 1500});
  for (const unsigned run : {1, 2}) supervisor.handle_heard(RunId{run}, 0);
  supervisor.look(1000);
  supervisor.look(9000);
  EXPECT_EQ(effects(supervisor), Strings{});
  supervisor.handle_heard(RunId{1}, 9100);
  supervisor.look(10'000);
  supervisor.look(10'600);
  EXPECT_EQ(effects(supervisor), (Strings{"hung 2 for 1600"}));
}

TEST(Supervisor, MissesNobodyWhoCouldNotBeHeard) {
  auto supervisor = running({.workers = 1, .heartbeat = 1500});
  supervisor.handle_heard(RunId{1}, 0);
  supervisor.look(1000);
  supervisor.handle_deafness(1900);
  supervisor.look(2000);
  EXPECT_EQ(effects(supervisor), Strings{});
}

TEST(Supervisor, RestartsAllWhenTheyHaveEnded) {
  auto supervisor = running({.workers = 2});
  EXPECT_FALSE(supervisor.restart(0));
  EXPECT_EQ(effects(supervisor), (Strings{"drain 1", "drain 2"}));
  supervisor.handle_exited(RunId{2}, ExitStatus::exited(0), 1);
  EXPECT_EQ(effects(supervisor), (Strings{"fork 3 on 2", "died 2 restart"}));
}

// Whatever happens in whatever order: a seat is never left with nobody on it and nobody to come, each process that was asked
// for is let go of once, and a supervisor that is told to stop does.
TEST(Supervisor, LosesNoSeatWhateverHappens) {
  for (unsigned seed = 1; seed <= 2000; ++seed) {
    std::mt19937 random(seed);
    const auto chance = [&](unsigned of) { return static_cast<unsigned>(random() % of); };
    Supervisor supervisor({.workers = 1 + chance(4),
                           .parallel = 1 + chance(3),
                           .starting = chance(4),
                           .ready_timeout = 500,
                           .max_restarts = chance(3) * 50,
                           .max_age = chance(2) * 5000,
                           .drain_timeout = 300,
                           .kill_timeout = 100},
                          seed);
    std::uint64_t now = 0;
    std::set<RunId> alive;
    unsigned reloads = 0, ends = 0, stops = 0;
    const auto drain_effects = [&] {
      while (const auto effect = supervisor.poll_effect()) {
        if (const auto* fork = std::get_if<Supervisor::Fork>(&*effect)) {
          ASSERT_TRUE(alive.insert(fork->run).second);
        }
        if (std::holds_alternative<Supervisor::ReloadEnded>(*effect)) ++ends;
        if (std::holds_alternative<Supervisor::Stopped>(*effect)) ++stops;
      }
    };
    const auto any = [&] {
      return *std::next(alive.begin(), static_cast<std::ptrdiff_t>(chance(static_cast<unsigned>(alive.size()))));
    };
    supervisor.start(now);
    drain_effects();
    for (unsigned step = 0; step < 200; ++step) {
      now += chance(200);
      switch (chance(12)) {
        case 0:
          if (!supervisor.reload(now)) ++reloads;
          break;
        case 1: supervisor.scale(1 + chance(5), now); break;
        case 2: supervisor.restart(now); break;
        case 3:
          if (!alive.empty()) supervisor.replace(any(), Cause::memory, now);
          break;
        case 4:
          if (!alive.empty()) supervisor.put_down(any(), Cause::hung);
          break;
        case 5:
        case 6:
          if (!alive.empty()) {
            const RunId run = any();
            alive.erase(run);
            supervisor.handle_exited(run, chance(2) ? killed : ExitStatus::exited(0), now, chance(10) != 0);
          }
          break;
        case 7: supervisor.handle_time(now); break;
        default:
          if (!alive.empty()) supervisor.handle_ready(any(), now);
      }
      drain_effects();
      const State state = supervisor.state();
      if (state == State::starting || state == State::running || state == State::reloading) {
        for (const auto& [number, seat] : supervisor.seats()) {
          ASSERT_TRUE(!seat.waits || !supervisor.runs().empty()) << "seat " << number << ", seed " << seed << ", step " << step;
          ASSERT_TRUE(seat.current || seat.next || seat.retry || seat.waits)
              << "seat " << number << ", seed " << seed << ", step " << step;
          ASSERT_TRUE(!seat.current || alive.contains(*seat.current)) << "seed " << seed;
          ASSERT_TRUE(!seat.next || alive.contains(*seat.next)) << "seed " << seed;
        }
      }
      ASSERT_EQ(supervisor.runs().size(), alive.size()) << "seed " << seed;
    }
    supervisor.stop(now);
    for (unsigned step = 0; step < 100 && stops == 0; ++step) {
      drain_effects();
      if (!alive.empty()) {
        const RunId run = *alive.begin();
        alive.erase(run);
        supervisor.handle_exited(run, killed, now);
      }
      drain_effects();
    }
    EXPECT_EQ(stops, 1U) << "seed " << seed;
    EXPECT_EQ(ends, reloads) << "seed " << seed;
    EXPECT_FALSE(supervisor.next_deadline()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace muster::core
