// SPDX-License-Identifier: MIT
#include "core/lifecycle.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

TEST(Lifecycle, GoesThroughNodesStates) {
  Lifecycle life;
  EXPECT_EQ(life.state(), State::none);

  EXPECT_TRUE(life.report(Report::online));
  EXPECT_EQ(life.state(), State::online);
  EXPECT_TRUE(life.report(Report::listening));
  EXPECT_EQ(life.state(), State::listening);
  EXPECT_TRUE(life.report(Report::disconnected));
  EXPECT_EQ(life.state(), State::disconnected);
  EXPECT_FALSE(life.gone());
  EXPECT_TRUE(life.report(Report::exited));
  EXPECT_EQ(life.state(), State::dead);
  EXPECT_TRUE(life.gone());
}

TEST(Lifecycle, EndsDisconnectedWhenTheExitComesFirst) {
  Lifecycle life;
  life.report(Report::online);

  EXPECT_TRUE(life.report(Report::exited));
  EXPECT_EQ(life.state(), State::dead);
  EXPECT_FALSE(life.gone());
  EXPECT_TRUE(life.report(Report::disconnected));

  EXPECT_EQ(life.state(), State::disconnected);
  EXPECT_TRUE(life.gone());
}

TEST(Lifecycle, ListensManyTimesButIsOnlineOnce) {
  Lifecycle life;

  EXPECT_TRUE(life.report(Report::online));
  EXPECT_FALSE(life.report(Report::online));
  EXPECT_TRUE(life.report(Report::listening));
  EXPECT_TRUE(life.report(Report::listening));
  EXPECT_FALSE(life.report(Report::online));
  EXPECT_EQ(life.state(), State::listening);
}

TEST(Lifecycle, MayListenOrEndWithoutHavingBeenOnline) {
  Lifecycle listens, disconnects, exits;

  EXPECT_TRUE(listens.report(Report::listening));
  EXPECT_TRUE(disconnects.report(Report::disconnected));
  EXPECT_TRUE(exits.report(Report::exited));
}

TEST(Lifecycle, IsToldNothingNewAfterItsEnd) {
  for (const auto& [first, second] :
       {std::pair{Report::disconnected, Report::exited}, {Report::exited, Report::disconnected}}) {
    Lifecycle life;
    life.report(first);
    EXPECT_FALSE(life.report(first));
    EXPECT_FALSE(life.report(Report::online));
    EXPECT_FALSE(life.report(Report::listening));
    life.report(second);
    const State last = life.state();

    for (const Report report : {Report::online, Report::listening, Report::disconnected, Report::exited}) {
      EXPECT_FALSE(life.report(report));
    }
    EXPECT_EQ(life.state(), last);
  }
}

TEST(State, IsPrintedAsNodePrintsIt) {
  EXPECT_EQ(to_string(State::none), "none");
  EXPECT_EQ(to_string(State::online), "online");
  EXPECT_EQ(to_string(State::listening), "listening");
  EXPECT_EQ(to_string(State::disconnected), "disconnected");
  EXPECT_EQ(to_string(State::dead), "dead");
}

}  // namespace
}  // namespace muster::core
