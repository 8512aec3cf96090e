#include "core/round_robin.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

namespace muster::core {
namespace {

constexpr WorkerId worker1{1}, worker2{2}, worker3{3};
constexpr FdToken a{10}, b{11}, c{12}, d{13};

// "10 to 1", "close 10", "probe 10", "rest".
std::vector<std::string> effects(RoundRobin& rr) {
  const auto text = [](FdToken fd) { return std::to_string(static_cast<std::uint64_t>(fd)); };
  std::vector<std::string> all;
  while (const auto effect = rr.poll_effect()) {
    if (const auto* handoff = std::get_if<RoundRobin::Handoff>(&*effect)) {
      all.push_back(text(handoff->connection) + " to " + std::to_string(static_cast<std::uint32_t>(handoff->worker)));
    } else if (const auto* close = std::get_if<RoundRobin::Close>(&*effect)) {
      all.push_back("close " + text(close->connection));
    } else if (const auto* probe = std::get_if<RoundRobin::Probe>(&*effect)) {
      all.push_back("probe " + text(probe->connection));
    } else {
      all.emplace_back("rest");
    }
  }
  return all;
}
using Effects = std::vector<std::string>;

TEST(RoundRobin, DealsInTurnToIdleWorkers) {
  RoundRobin rr;
  for (const WorkerId worker : {worker2, worker3, worker1}) rr.add(worker);

  Effects dealt;
  for (const auto& [connection, worker] : {std::pair{a, worker2}, {b, worker3}, {c, worker1}, {d, worker2}}) {
    rr.accepted(connection);
    dealt.push_back(effects(rr).at(0));
    rr.replied(worker, true);
    effects(rr);
  }

  EXPECT_EQ(dealt, (Effects{"10 to 2", "11 to 3", "12 to 1", "13 to 2"}));
}

TEST(RoundRobin, GivesAWorkerNoSecondConnectionBeforeItAnswers) {
  RoundRobin rr;
  rr.add(worker1);
  rr.accepted(a);
  rr.accepted(b);
  EXPECT_EQ(effects(rr), Effects{"10 to 1"});

  rr.replied(worker1, true);

  EXPECT_EQ(effects(rr), (Effects{"close 10", "11 to 1"}));
}

TEST(RoundRobin, OffersARefusedConnectionToAnother) {
  RoundRobin rr;
  rr.add(worker1);
  rr.add(worker2);
  rr.accepted(a);
  effects(rr);

  rr.replied(worker1, false);

  EXPECT_EQ(effects(rr), (Effects{"rest", "10 to 2"}));
}

TEST(RoundRobin, AsksALoneWorkerThatRefusedOnlyAfterARest) {
  RoundRobin rr;
  rr.add(worker1);
  rr.accepted(a);
  effects(rr);
  rr.replied(worker1, false);
  EXPECT_EQ(effects(rr), Effects{"rest"});
  rr.accepted(b);
  EXPECT_EQ(effects(rr), Effects{});

  rr.rested();

  EXPECT_EQ(effects(rr), Effects{"10 to 1"});
}

TEST(RoundRobin, AsksForOneRestHoweverManyRefuse) {
  RoundRobin rr;
  rr.add(worker1);
  rr.add(worker2);
  rr.accepted(a);
  rr.accepted(b);
  effects(rr);

  rr.replied(worker1, false);
  rr.replied(worker2, false);

  EXPECT_EQ(effects(rr), Effects{"rest"});
  rr.rested();
  EXPECT_EQ(effects(rr), (Effects{"10 to 1", "11 to 2"}));
}

TEST(RoundRobin, ForgetsTheRestOfAWorkerThatLeaves) {
  RoundRobin rr;
  rr.add(worker1);
  rr.accepted(a);
  rr.replied(worker1, false);
  effects(rr);

  rr.remove(worker1);
  rr.rested();

  EXPECT_EQ(effects(rr), Effects{"close 10"});
}

TEST(RoundRobin, DealsWhatWaitedInTheOrderItArrived) {
  RoundRobin rr;
  rr.add(worker1);
  for (const FdToken connection : {a, b, c, d}) rr.accepted(connection);
  effects(rr);

  rr.add(worker2);
  rr.add(worker3);
  rr.replied(worker1, true);

  EXPECT_EQ(effects(rr), (Effects{"11 to 2", "12 to 3", "close 10", "13 to 1"}));
}

TEST(RoundRobin, ProbesAConnectionWhoseWorkerDies) {
  RoundRobin rr;
  rr.add(worker1);
  rr.add(worker2);
  rr.accepted(a);
  effects(rr);

  rr.lost(worker1);

  EXPECT_EQ(effects(rr), Effects{"probe 10"});
  EXPECT_FALSE(rr.settled());
  EXPECT_FALSE(rr.has(worker1));
}

TEST(RoundRobin, DealsAConnectionAgainWhenItsWorkerDies) {
  RoundRobin rr;
  rr.add(worker1);
  rr.accepted(a);
  rr.add(worker2);
  rr.accepted(b);
  rr.accepted(c);
  effects(rr);
  rr.lost(worker1);
  effects(rr);

  rr.probed(a, false);
  rr.replied(worker2, true);

  // First in line: it has waited longest.
  EXPECT_EQ(effects(rr), (Effects{"close 11", "10 to 2"}));
}

TEST(RoundRobin, ClosesAConnectionThatItsDeadWorkerTouched) {
  RoundRobin rr;
  rr.add(worker1);
  rr.add(worker2);
  rr.accepted(a);
  rr.lost(worker1);
  effects(rr);

  rr.probed(a, true);

  EXPECT_EQ(effects(rr), Effects{"close 10"});
  EXPECT_TRUE(rr.settled());
}

TEST(RoundRobin, ClosesAProbedConnectionWhenNobodyListensAnyMore) {
  RoundRobin rr;
  rr.add(worker1);
  rr.accepted(a);
  rr.lost(worker1);
  effects(rr);

  rr.probed(a, false);

  EXPECT_EQ(effects(rr), Effects{"close 10"});
  EXPECT_TRUE(rr.settled());
}

TEST(RoundRobin, ClosesWhatWaitsWhenTheLastWorkerLeaves) {
  RoundRobin rr;
  rr.add(worker1);
  for (const FdToken connection : {a, b, c}) rr.accepted(connection);
  effects(rr);

  rr.remove(worker1);

  EXPECT_EQ(effects(rr), (Effects{"close 11", "close 12"}));
  EXPECT_FALSE(rr.settled());
  rr.replied(worker1, true);
  EXPECT_EQ(effects(rr), Effects{"close 10"});
  EXPECT_TRUE(rr.settled());
}

TEST(RoundRobin, ClosesWhatIsRefusedByAWorkerThatLeftLast) {
  RoundRobin rr;
  rr.add(worker1);
  rr.accepted(a);
  rr.remove(worker1);
  effects(rr);

  rr.replied(worker1, false);

  EXPECT_EQ(effects(rr), Effects{"close 10"});
}

TEST(RoundRobin, ClosesAConnectionThatComesWhenNobodyListens) {
  RoundRobin rr;

  rr.accepted(a);

  EXPECT_EQ(effects(rr), Effects{"close 10"});
}

TEST(RoundRobin, WaitsForTheOldAnswerOfAWorkerThatCameBack) {
  RoundRobin rr;
  rr.add(worker1);
  rr.accepted(a);
  rr.remove(worker1);
  rr.add(worker1);
  rr.accepted(b);
  EXPECT_EQ(effects(rr), Effects{"10 to 1"});

  rr.replied(worker1, true);

  EXPECT_EQ(effects(rr), (Effects{"close 10", "11 to 1"}));
}

TEST(RoundRobin, LosesAWorkerThatNeverListenedWithoutAnEffect) {
  RoundRobin rr;

  rr.lost(worker1);
  rr.remove(worker2);

  EXPECT_EQ(effects(rr), Effects{});
}

// Every connection that comes in is closed exactly once, and is with one worker at most until then.
TEST(RoundRobin, ConservesConnectionsInRandomHistories) {
  for (unsigned seed = 1; seed <= 2000; ++seed) {
    std::mt19937 random(seed);
    RoundRobin rr;
    std::uint64_t next = 0;
    std::set<FdToken> open, probing;
    std::map<WorkerId, FdToken> offered;
    bool resting = false;
    const auto drain = [&] {
      while (const auto effect = rr.poll_effect()) {
        if (const auto* handoff = std::get_if<RoundRobin::Handoff>(&*effect)) {
          ASSERT_TRUE(open.contains(handoff->connection));
          ASSERT_TRUE(offered.emplace(handoff->worker, handoff->connection).second) << seed;
        } else if (const auto* close = std::get_if<RoundRobin::Close>(&*effect)) {
          ASSERT_EQ(open.erase(close->connection), 1U) << seed;
        } else if (const auto* probe = std::get_if<RoundRobin::Probe>(&*effect)) {
          probing.insert(probe->connection);
        } else {
          resting = true;
        }
      }
    };
    for (int step = 0; step < 100; ++step) {
      const WorkerId worker{static_cast<std::uint32_t>(random() % 4)};
      switch (random() % 7) {
        case 0:
          if (!rr.has(worker)) rr.add(worker);
          break;
        case 1: rr.remove(worker); break;
        case 2:
          offered.erase(worker);
          rr.lost(worker);
          break;
        case 3:
        case 4:
          open.insert(FdToken{++next});
          rr.accepted(FdToken{next});
          break;
        case 5:
          if (offered.erase(worker) == 1) rr.replied(worker, random() % 3 != 0);
          break;
        default:
          if (resting) rr.rested();
          resting = false;
          if (!probing.empty()) rr.probed(probing.extract(probing.begin()).value(), random() % 2 == 0);
      }
      drain();
    }
    for (std::uint32_t worker = 0; worker < 4; ++worker) rr.lost(WorkerId{worker});
    drain();
    while (!probing.empty()) {
      rr.probed(probing.extract(probing.begin()).value(), false);
      drain();
    }
    ASSERT_TRUE(open.empty()) << seed;
    ASSERT_TRUE(rr.settled()) << seed;
  }
}

}  // namespace
}  // namespace muster::core
