// SPDX-License-Identifier: MIT
#include "core/dealer.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace muster::core {
namespace {

constexpr WorkerId worker1{1}, worker2{2}, worker3{3};
constexpr FdToken a{10}, b{11}, c{12}, d{13};

// "10 to 1", "10 back from 1", "close 10", "probe 10", "rest", "watch", "ask 10".
std::vector<std::string> effects(Dealer& rr) {
  const auto text = [](FdToken fd) { return std::to_string(static_cast<std::uint64_t>(fd)); };
  std::vector<std::string> all;
  while (const auto effect = rr.poll_effect()) {
    if (const auto* handoff = std::get_if<Dealer::Handoff>(&*effect)) {
      all.push_back(text(handoff->connection) + " to " + std::to_string(static_cast<std::uint32_t>(handoff->worker)));
    } else if (const auto* revoke = std::get_if<Dealer::Revoke>(&*effect)) {
      all.push_back(text(revoke->connection) + " back from " + std::to_string(static_cast<std::uint32_t>(revoke->worker)));
    } else if (const auto* close = std::get_if<Dealer::Close>(&*effect)) {
      all.push_back("close " + text(close->connection));
    } else if (const auto* probe = std::get_if<Dealer::Probe>(&*effect)) {
      all.push_back("probe " + text(probe->connection));
    } else if (const auto* ask = std::get_if<Dealer::Ask>(&*effect)) {
      all.push_back("ask " + text(ask->connection));
    } else if (const auto* count = std::get_if<Dealer::Count>(&*effect)) {
      all.push_back("count " + std::to_string(static_cast<std::uint32_t>(count->worker)));
    } else if (const auto* await = std::get_if<Dealer::AwaitRoom>(&*effect)) {
      all.push_back("await " + std::to_string(static_cast<std::uint32_t>(await->worker)));
    } else if (const auto* drain = std::get_if<Dealer::Drain>(&*effect)) {
      all.push_back("drain " + std::to_string(static_cast<std::uint32_t>(drain->worker)));
    } else if (const auto* question = std::get_if<Dealer::Ping>(&*effect)) {
      all.push_back("ping " + std::to_string(static_cast<std::uint32_t>(question->worker)));
    } else {
      all.emplace_back(std::holds_alternative<Dealer::Rest>(*effect) ? "rest" : "watch");
    }
  }
  return all;
}
using Effects = std::vector<std::string>;

TEST(Dealer, DealsInTurnToIdleWorkers) {
  Dealer rr;
  for (const WorkerId worker : {worker2, worker3, worker1}) rr.add(worker);

  Effects dealt;
  for (const auto& [connection, worker] : {std::pair{a, worker2}, {b, worker3}, {c, worker1}, {d, worker2}}) {
    rr.accepted({connection});
    dealt.push_back(effects(rr).at(0));
    rr.replied(worker, connection, Dealer::Answer::accepted);
    effects(rr);
  }

  EXPECT_EQ(dealt, (Effects{"10 to 2", "11 to 3", "12 to 1", "13 to 2"}));
}

TEST(Dealer, GivesAWorkerNoSecondConnectionBeforeItAnswers) {
  Dealer rr;
  rr.add(worker1);
  rr.accepted({a});
  rr.accepted({b});
  EXPECT_EQ(effects(rr), Effects{"10 to 1"});

  rr.replied(worker1, a, Dealer::Answer::accepted);

  EXPECT_EQ(effects(rr), (Effects{"close 10", "11 to 1"}));
}

TEST(Dealer, OffersARefusedConnectionToAnother) {
  Dealer rr;
  rr.add(worker1);
  rr.add(worker2);
  rr.accepted({a});
  effects(rr);

  rr.replied(worker1, a, Dealer::Answer::refused);

  EXPECT_EQ(effects(rr), (Effects{"rest", "10 to 2"}));
}

TEST(Dealer, AsksALoneWorkerThatRefusedOnlyAfterARest) {
  Dealer rr;
  rr.add(worker1);
  rr.accepted({a});
  effects(rr);
  rr.replied(worker1, a, Dealer::Answer::refused);
  EXPECT_EQ(effects(rr), Effects{"rest"});
  rr.accepted({b});
  EXPECT_EQ(effects(rr), Effects{});

  rr.rested();

  EXPECT_EQ(effects(rr), Effects{"10 to 1"});
}

TEST(Dealer, AsksForOneRestHoweverManyRefuse) {
  Dealer rr;
  rr.add(worker1);
  rr.add(worker2);
  rr.accepted({a});
  rr.accepted({b});
  effects(rr);

  rr.replied(worker1, a, Dealer::Answer::refused);
  rr.replied(worker2, b, Dealer::Answer::refused);

  EXPECT_EQ(effects(rr), Effects{"rest"});
  rr.rested();
  EXPECT_EQ(effects(rr), (Effects{"10 to 1", "11 to 2"}));
}

TEST(Dealer, ForgetsTheRestOfAWorkerThatLeaves) {
  Dealer rr;
  rr.add(worker1);
  rr.accepted({a});
  rr.replied(worker1, a, Dealer::Answer::refused);
  effects(rr);

  rr.remove(worker1);
  rr.rested();

  EXPECT_EQ(effects(rr), Effects{"close 10"});
}

TEST(Dealer, DealsWhatWaitedInTheOrderItArrived) {
  Dealer rr;
  rr.add(worker1);
  for (const FdToken connection : {a, b, c, d}) rr.accepted({connection});
  effects(rr);

  rr.add(worker2);
  rr.add(worker3);
  rr.replied(worker1, a, Dealer::Answer::accepted);

  EXPECT_EQ(effects(rr), (Effects{"11 to 2", "12 to 3", "close 10", "13 to 1"}));
}

TEST(Dealer, ProbesAConnectionWhoseWorkerDies) {
  Dealer rr;
  rr.add(worker1);
  rr.add(worker2);
  rr.accepted({a});
  effects(rr);

  rr.lost(worker1);
  EXPECT_EQ(effects(rr), Effects{});
  rr.died(worker1);

  EXPECT_EQ(effects(rr), Effects{"probe 10"});
  EXPECT_FALSE(rr.settled());
  EXPECT_FALSE(rr.has(worker1));
}

// It may read it as long as it lives.
TEST(Dealer, DealsNoConnectionAgainWhoseWorkerHasOnlyLostItsChannel) {
  Dealer rr;
  rr.add(worker1);
  rr.add(worker2);
  rr.accepted({a});
  effects(rr);
  rr.lost(worker1);
  rr.lives_on(worker1);

  for (int looks = 1; looks < 100; ++looks) {
    EXPECT_EQ(effects(rr), Effects{"watch"});
    rr.look();
  }
  EXPECT_EQ(effects(rr), Effects{"watch"});
  rr.look();

  EXPECT_EQ(effects(rr), Effects{"close 10"});
  EXPECT_TRUE(rr.settled());
}

TEST(Dealer, DealsAConnectionAgainWhenItsWorkerDies) {
  Dealer rr;
  rr.add(worker1);
  rr.accepted({a});
  rr.add(worker2);
  rr.accepted({b});
  rr.accepted({c});
  effects(rr);
  rr.lost(worker1);
  rr.died(worker1);
  effects(rr);

  rr.probed(a, Dealer::Probed::untouched);
  rr.replied(worker2, b, Dealer::Answer::accepted);

  // First in line: it has waited longest.
  EXPECT_EQ(effects(rr), (Effects{"close 11", "10 to 2"}));
}

TEST(Dealer, ClosesAConnectionThatItsDeadWorkerTouched) {
  Dealer rr;
  rr.add(worker1);
  rr.add(worker2);
  rr.accepted({a});
  rr.lost(worker1);
  rr.died(worker1);
  effects(rr);

  rr.probed(a, Dealer::Probed::touched);

  EXPECT_EQ(effects(rr), Effects{"close 10"});
  EXPECT_TRUE(rr.settled());
}

TEST(Dealer, ClosesALostConnectionWhenNobodyListensAnyMore) {
  Dealer rr;
  rr.add(worker1);
  rr.accepted({a});
  effects(rr);

  rr.lost(worker1);

  EXPECT_EQ(effects(rr), Effects{"close 10"});
  EXPECT_TRUE(rr.settled());
}

TEST(Dealer, ClosesWhatWaitsWhenTheLastWorkerLeaves) {
  Dealer rr;
  rr.add(worker1);
  for (const FdToken connection : {a, b, c}) rr.accepted({connection});
  effects(rr);

  rr.remove(worker1);

  EXPECT_EQ(effects(rr), (Effects{"close 11", "close 12"}));
  EXPECT_FALSE(rr.settled());
  rr.replied(worker1, a, Dealer::Answer::accepted);
  EXPECT_EQ(effects(rr), Effects{"close 10"});
  EXPECT_TRUE(rr.settled());
}

TEST(Dealer, ClosesWhatIsRefusedByAWorkerThatLeftLast) {
  Dealer rr;
  rr.add(worker1);
  rr.accepted({a});
  rr.remove(worker1);
  effects(rr);

  rr.replied(worker1, a, Dealer::Answer::refused);

  EXPECT_EQ(effects(rr), Effects{"close 10"});
}

TEST(Dealer, ClosesAConnectionThatComesWhenNobodyListens) {
  Dealer rr;

  rr.accepted({a});

  EXPECT_EQ(effects(rr), Effects{"close 10"});
}

TEST(Dealer, WaitsForTheOldAnswerOfAWorkerThatCameBack) {
  Dealer rr;
  rr.add(worker1);
  rr.accepted({a});
  rr.remove(worker1);
  rr.add(worker1);
  rr.accepted({b});
  EXPECT_EQ(effects(rr), Effects{"10 to 1"});

  rr.replied(worker1, a, Dealer::Answer::accepted);

  EXPECT_EQ(effects(rr), (Effects{"close 10", "11 to 1"}));
}

TEST(Dealer, LosesAWorkerThatNeverListenedWithoutAnEffect) {
  Dealer rr;

  rr.lost(worker1);
  rr.remove(worker2);

  EXPECT_EQ(effects(rr), Effects{});
}

TEST(Dealer, GivesAWorkerWithAWindowSeveralAtATime) {
  Dealer rr(Dealer::Policy::round_robin, 2);
  rr.add(worker1, Dealer::Intake::offers);
  rr.add(worker2);
  for (const FdToken connection : {a, b, c, d}) rr.accepted({connection});

  EXPECT_EQ(effects(rr), (Effects{"10 to 1", "watch", "11 to 2", "12 to 1"}));
  rr.replied(worker1, c, Dealer::Answer::accepted);
  EXPECT_EQ(effects(rr), (Effects{"close 12", "13 to 1"}));
}

TEST(Dealer, TakesBackWhatAStuckWorkerHasNotAnsweredFor) {
  Dealer rr;
  rr.add(worker1, Dealer::Intake::offers);
  rr.add(worker2, Dealer::Intake::offers);
  for (const FdToken connection : {a, b, c}) rr.accepted({connection});
  EXPECT_EQ(effects(rr), (Effects{"10 to 1", "watch", "11 to 2", "12 to 1"}));
  rr.look();
  rr.replied(worker2, b, Dealer::Answer::accepted);
  EXPECT_EQ(effects(rr), (Effects{"watch", "close 11"}));

  rr.look();
  EXPECT_EQ(effects(rr), (Effects{"10 back from 1", "12 back from 1", "watch"}));
  rr.revoked(worker1, a, Dealer::Revoked::taken_back);
  rr.revoked(worker1, c, Dealer::Revoked::claimed);  // it is being served

  EXPECT_EQ(effects(rr), Effects{"10 to 2"});
  rr.replied(worker1, c, Dealer::Answer::accepted);
  rr.accepted({d});
  // It has not answered for what was taken back.
  EXPECT_EQ(effects(rr), (Effects{"close 12", "13 to 2"}));
  rr.returned(worker1);
  rr.accepted({b});
  rr.accepted({c});
  EXPECT_EQ(effects(rr), (Effects{"11 to 2", "12 to 1"}));
}

TEST(Dealer, TakesNothingBackWhereEverybodyIsBusy) {
  Dealer rr(Dealer::Policy::round_robin, 2);
  rr.add(worker1, Dealer::Intake::offers);
  rr.accepted({a});
  effects(rr);

  rr.look();
  rr.look();

  EXPECT_EQ(effects(rr), (Effects{"watch", "watch"}));
}

TEST(Dealer, StopsLookingWhenAllIsAnswered) {
  Dealer rr(Dealer::Policy::round_robin, 2);
  rr.add(worker1, Dealer::Intake::offers);
  rr.accepted({a});
  rr.replied(worker1, a, Dealer::Answer::accepted);
  effects(rr);

  rr.look();

  EXPECT_EQ(effects(rr), Effects{});
}

TEST(Dealer, TakesBackFromADeadWorkerWhatItNeverClaimed) {
  Dealer rr;
  rr.add(worker1, Dealer::Intake::offers);
  rr.accepted({a});
  rr.accepted({b});
  rr.add(worker2, Dealer::Intake::offers);
  effects(rr);

  rr.lost(worker1);
  EXPECT_EQ(effects(rr), (Effects{"10 back from 1", "11 back from 1"}));
  rr.revoked(worker1, a, Dealer::Revoked::taken_back);
  rr.revoked(worker1, b, Dealer::Revoked::claimed);
  // It may live without its channel, and serve what it has claimed.
  EXPECT_EQ(effects(rr), Effects{"10 to 2"});
  EXPECT_FALSE(rr.settled());

  rr.died(worker1);

  EXPECT_EQ(effects(rr), Effects{"probe 11"});
}

TEST(Dealer, CountsAQueueThatIsFullAndWaitsWhereNothingWasRead) {
  Dealer rr(Dealer::Policy::round_robin, 2);
  rr.add(worker1, Dealer::Intake::queue);
  for (const FdToken connection : {a, b, c, d}) rr.accepted({connection});
  EXPECT_EQ(effects(rr), (Effects{"10 to 1", "watch", "11 to 1", "count 1"}));

  // It has read one: nothing is left to close here.
  rr.replied(worker1, a, Dealer::Answer::taken);
  rr.counted(worker1);
  EXPECT_EQ(effects(rr), (Effects{"12 to 1", "count 1", "await 1"}));
  // And no more since.
  rr.counted(worker1);
  EXPECT_EQ(effects(rr), Effects{});

  rr.replied(worker1, b, Dealer::Answer::taken);
  rr.replied(worker1, c, Dealer::Answer::taken);
  rr.counted(worker1);
  EXPECT_EQ(effects(rr), (Effects{"13 to 1", "count 1"}));
}

TEST(Dealer, TakesBackTheQueueOfAWorkerThatReadsNoMore) {
  Dealer rr(Dealer::Policy::round_robin, 8);
  rr.add(worker1, Dealer::Intake::queue);
  rr.add(worker2, Dealer::Intake::queue);
  for (const FdToken connection : {a, b, c}) rr.accepted({connection});
  EXPECT_EQ(effects(rr), (Effects{"10 to 1", "watch", "11 to 2", "12 to 1"}));
  rr.replied(worker2, b, Dealer::Answer::taken);
  for (int looks = 0; looks < 3; ++looks) {
    rr.look();
    rr.counted(worker1);
    EXPECT_EQ(effects(rr), (Effects{"count 1", "watch"})) << looks;
  }

  rr.look();
  rr.counted(worker1);
  EXPECT_EQ(effects(rr), (Effects{"count 1", "watch", "drain 1", "ping 1"}));
  // They have other names now, and keep their order.
  constexpr FdToken a2{20}, c2{22};
  const std::array back{Dealer::CameBack{a, a2}, Dealer::CameBack{c, c2}};
  rr.came_back(worker1, back);
  EXPECT_EQ(effects(rr), (Effects{"20 to 2", "22 to 2"}));

  // It gets nothing before it has read the question.
  rr.accepted({d});
  EXPECT_EQ(effects(rr), Effects{"13 to 2"});
  rr.returned(worker1);
  rr.accepted({b});
  rr.accepted({a});
  EXPECT_EQ(effects(rr), (Effects{"11 to 2", "10 to 1"}));
}

TEST(Dealer, DealsAgainWhatADeadWorkerHasNotRead) {
  Dealer rr;
  rr.add(worker1, Dealer::Intake::queue);
  rr.accepted({a});
  rr.accepted({b});
  rr.add(worker2, Dealer::Intake::queue);
  effects(rr);

  rr.lost(worker1);
  EXPECT_FALSE(rr.settled());
  rr.replied(worker1, a, Dealer::Answer::taken);
  rr.came_back(worker1, std::array{Dealer::CameBack{b, c}});

  EXPECT_EQ(effects(rr), Effects{"12 to 2"});
  EXPECT_TRUE(rr.settled());
}

TEST(Dealer, RestsAWorkerThatGivesBackWhatItHasRead) {
  Dealer rr;
  rr.add(worker1, Dealer::Intake::queue);
  rr.accepted({a});
  rr.replied(worker1, a, Dealer::Answer::taken);
  effects(rr);

  rr.rest(worker1);
  rr.given_back({b});
  EXPECT_EQ(effects(rr), Effects{"rest"});

  rr.rested();
  EXPECT_EQ(effects(rr), Effects{"11 to 1"});
}

TEST(Dealer, GoesOnByMessageWhereAQueueIsBroken) {
  Dealer rr;
  rr.add(worker1, Dealer::Intake::queue);
  rr.accepted({a});
  effects(rr);

  rr.set_intake(worker1, Dealer::Intake::message);
  rr.came_back(worker1, std::array{Dealer::CameBack{a, a}});
  rr.accepted({b});

  EXPECT_EQ(effects(rr), Effects{"10 to 1"});
  rr.replied(worker1, a, Dealer::Answer::accepted);
  EXPECT_EQ(effects(rr), (Effects{"close 10", "11 to 1"}));
}

TEST(Dealer, GivesLeastConnectionsToWhomHasFewest) {
  Dealer dealer(Dealer::Policy::least_connections);
  for (const WorkerId worker : {worker1, worker2, worker3}) dealer.add(worker, Dealer::Intake::offers);
  dealer.set_load(worker1, 5);
  dealer.set_load(worker2, 3);
  dealer.set_load(worker3, 4);

  for (const FdToken connection : {a, b, c, d}) dealer.accepted({connection});

  EXPECT_EQ(effects(dealer), (Effects{"10 to 2", "watch", "11 to 3", "12 to 2", "13 to 1"}));
}

TEST(Dealer, CountsWhatAWorkerTookSinceItsLoadWasKnown) {
  Dealer dealer(Dealer::Policy::least_connections);
  dealer.add(worker1);
  dealer.add(worker2);
  dealer.set_load(worker2, 1);
  dealer.accepted({a});
  dealer.replied(worker1, a, Dealer::Answer::accepted);
  dealer.accepted({b});
  dealer.replied(worker2, b, Dealer::Answer::accepted);
  dealer.accepted({c});

  EXPECT_EQ(effects(dealer), (Effects{"10 to 1", "close 10", "11 to 2", "close 11", "12 to 1"}));
}

// Whom it deals so many connections to, one after the other, each of which ends at once.
std::map<WorkerId, int> deal_short_ones(Dealer& dealer, int count) {
  std::map<WorkerId, int> dealt;
  for (int i = 0; i < count; ++i) {
    dealer.accepted({a});
    while (const auto effect = dealer.poll_effect()) {
      const auto* handoff = std::get_if<Dealer::Handoff>(&*effect);
      if (!handoff) continue;
      ++dealt[handoff->worker];
      dealer.replied(handoff->worker, a, Dealer::Answer::accepted);
      dealer.set_load(handoff->worker, 0);
    }
  }
  return dealt;
}

using Dealt = std::map<WorkerId, int>;

TEST(Dealer, GivesOneOfEqualsWhatItMissed) {
  Dealer dealer(Dealer::Policy::least_connections);
  dealer.add(worker1);
  dealer.add(worker2);
  dealer.set_load(worker2, 1);
  EXPECT_EQ(deal_short_ones(dealer, 10), (Dealt{{worker1, 10}}));
  dealer.set_load(worker2, 0);

  EXPECT_EQ(deal_short_ones(dealer, 10), (Dealt{{worker2, 10}}));
  EXPECT_EQ(deal_short_ones(dealer, 10), (Dealt{{worker1, 5}, {worker2, 5}}));
}

TEST(Dealer, DoesNotPourAllIntoOneThatIsNewOrWasAway) {
  Dealer dealer(Dealer::Policy::least_connections);
  dealer.add(worker1);
  dealer.add(worker2);
  dealer.set_load(worker2, 1);
  deal_short_ones(dealer, 5000);
  dealer.set_load(worker2, 0);
  EXPECT_EQ(deal_short_ones(dealer, 256), (Dealt{{worker2, 256}}));
  EXPECT_EQ(deal_short_ones(dealer, 10), (Dealt{{worker1, 5}, {worker2, 5}}));

  dealer.add(worker3);
  EXPECT_EQ(deal_short_ones(dealer, 30), (Dealt{{worker1, 10}, {worker2, 10}, {worker3, 10}}));
}

// Whom each of a hundred clients belongs to.
std::map<std::uint64_t, WorkerId> belongings(Dealer& dealer, std::uint64_t& next) {
  std::map<std::uint64_t, WorkerId> result;
  for (std::uint64_t client = 1; client <= 100; ++client) {
    const FdToken token{++next};
    dealer.accepted({token, client});
    const auto effect = dealer.poll_effect();
    const auto* handoff = effect ? std::get_if<Dealer::Handoff>(&*effect) : nullptr;
    if (!handoff) continue;
    result[client] = handoff->worker;
    dealer.replied(handoff->worker, token, Dealer::Answer::accepted);
    effects(dealer);
  }
  return result;
}

TEST(Dealer, GivesOneAddressToOneWorkerWhoeverElseComesAndGoes) {
  Dealer dealer(Dealer::Policy::ip_hash);
  for (const WorkerId worker : {worker1, worker2, worker3}) dealer.add(worker);
  std::uint64_t next = 0;
  const auto before = belongings(dealer, next);
  ASSERT_EQ(before.size(), 100U);
  std::map<WorkerId, int> counts;
  for (const auto& [client, worker] : before) ++counts[worker];
  for (const auto& [worker, count] : counts) EXPECT_GT(count, 15);

  dealer.lost(worker2);
  for (const auto& [client, worker] : belongings(dealer, next)) {
    EXPECT_TRUE(worker == before.at(client) || before.at(client) == worker2) << client;
  }

  // Its successor takes over its addresses, whatever number it has.
  constexpr WorkerId successor{9};
  dealer.add(successor);
  for (const auto& [client, worker] : belongings(dealer, next)) {
    EXPECT_EQ(worker, before.at(client) == worker2 ? successor : before.at(client));
  }
}

TEST(Dealer, LetsAnAddressWaitForItsBusyWorker) {
  Dealer dealer(Dealer::Policy::ip_hash);
  dealer.add(worker1);
  dealer.add(worker2);
  dealer.accepted({a, 7});
  const Effects first = effects(dealer);
  dealer.accepted({b, 7});
  EXPECT_EQ(effects(dealer), Effects{});

  const WorkerId its = first == Effects{"10 to 1"} ? worker1 : worker2;
  dealer.lost(its);
  dealer.died(its);

  // Gone for good: the other's now.
  const std::string other = its == worker1 ? "2" : "1";
  EXPECT_EQ(effects(dealer), (Effects{"11 to " + other, "probe 10"}));
}

TEST(Dealer, AsksTheProgramWhoIsToHaveAConnection) {
  Dealer dealer(Dealer::Policy::ask);
  dealer.add(worker1);
  dealer.add(worker2);
  for (const FdToken connection : {a, b, c}) dealer.accepted({connection});
  EXPECT_EQ(effects(dealer), (Effects{"ask 10", "ask 11", "ask 12"}));

  dealer.chosen(a, worker2);
  dealer.chosen(b, worker2);
  dealer.chosen(c, worker3);  // listens here no more, or never did: anybody

  EXPECT_EQ(effects(dealer), (Effects{"10 to 2", "12 to 1"}));
  dealer.replied(worker2, a, Dealer::Answer::accepted);
  EXPECT_EQ(effects(dealer), (Effects{"close 10", "11 to 2"}));
}

// Every connection that comes in is closed exactly once, and belongs to one worker at most until then; under every policy, with
// every window, whatever is taken back.
TEST(Dealer, ConservesConnectionsInRandomHistories) {
  constexpr std::array policies{Dealer::Policy::round_robin, Dealer::Policy::least_connections, Dealer::Policy::ip_hash,
                                Dealer::Policy::ask};
  for (unsigned seed = 1; seed <= 4000; ++seed) {
    std::mt19937 random(seed);
    Dealer rr(policies[seed % policies.size()]);
    std::uint64_t next = 0;
    std::set<FdToken> open, probing;
    std::map<WorkerId, std::set<FdToken>> offered;
    std::map<WorkerId, int> taken_back;
    bool resting = false, watching = false;
    const auto drain = [&] {
      while (const auto effect = rr.poll_effect()) {
        if (const auto* handoff = std::get_if<Dealer::Handoff>(&*effect)) {
          ASSERT_TRUE(open.contains(handoff->connection)) << seed;
          for (const auto& [worker, connections] : offered) ASSERT_FALSE(connections.contains(handoff->connection)) << seed;
          offered[handoff->worker].insert(handoff->connection);
        } else if (const auto* revoke = std::get_if<Dealer::Revoke>(&*effect)) {
          const bool lost = !offered.contains(revoke->worker);
          const bool back = random() % 2 == 0;
          if (!lost && back) {
            ASSERT_EQ(offered[revoke->worker].erase(revoke->connection), 1U) << seed;
            ++taken_back[revoke->worker];
          }
          rr.revoked(revoke->worker, revoke->connection, back ? Dealer::Revoked::taken_back : Dealer::Revoked::claimed);
        } else if (const auto* close = std::get_if<Dealer::Close>(&*effect)) {
          ASSERT_EQ(open.erase(close->connection), 1U) << seed;
        } else if (const auto* probe = std::get_if<Dealer::Probe>(&*effect)) {
          probing.insert(probe->connection);
        } else if (const auto* ask = std::get_if<Dealer::Ask>(&*effect)) {
          rr.chosen(ask->connection, WorkerId{static_cast<std::uint32_t>(random() % 5)});
        } else {
          (std::holds_alternative<Dealer::Rest>(*effect) ? resting : watching) = true;
        }
      }
    };
    for (int step = 0; step < 100; ++step) {
      const WorkerId worker{static_cast<std::uint32_t>(random() % 4)};
      switch (random() % 9) {
        case 0:
          if (!rr.has(worker)) rr.add(worker, random() % 3 == 0 ? Dealer::Intake::message : Dealer::Intake::offers);
          break;
        case 1: rr.remove(worker); break;
        case 2:
          offered.erase(worker);
          taken_back.erase(worker);
          rr.lost(worker);
          if (random() % 2 == 0) rr.died(worker);
          break;
        case 3:
        case 4:
          open.insert(FdToken{++next});
          rr.accepted({FdToken{next}, random() % 5});
          break;
        case 5:
        case 6:
          if (const auto found = offered.find(worker); found != offered.end() && !found->second.empty()) {
            const FdToken answered = found->second.extract(found->second.begin()).value();
            rr.replied(worker, answered, random() % 3 != 0 ? Dealer::Answer::accepted : Dealer::Answer::refused);
          }
          break;
        case 7:
          if (watching) rr.look();
          if (taken_back[worker] > 0) {
            --taken_back[worker];
            rr.returned(worker);
          }
          break;
        default:
          if (resting) rr.rested();
          resting = false;
          if (!probing.empty())
            rr.probed(probing.extract(probing.begin()).value(),
                      random() % 2 == 0 ? Dealer::Probed::touched : Dealer::Probed::untouched);
      }
      drain();
    }
    for (std::uint32_t worker = 0; worker < 4; ++worker) {
      offered.erase(WorkerId{worker});
      rr.lost(WorkerId{worker});
      drain();
      rr.died(WorkerId{worker});
      drain();
    }
    while (!probing.empty()) {
      rr.probed(probing.extract(probing.begin()).value(), Dealer::Probed::untouched);
      drain();
    }
    ASSERT_TRUE(open.empty()) << seed;
    ASSERT_TRUE(rr.settled()) << seed;
  }
}

}  // namespace
}  // namespace muster::core
