// SPDX-License-Identifier: MIT
#include "states.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "primary/metrics.h"

namespace muster::cli {
namespace {

TEST(States, EachOfTheSupervisorHasItsRow) {
  using enum SupervisorState;
  std::set<std::string_view> names;
  for (const StateRow& row : app_states()) EXPECT_TRUE(names.insert(row.name).second) << row.name << " stands twice";
  std::set<std::string_view> reachable;
  for (const SupervisorState state : {starting, running, reloading, stopping, stopped, failed}) {
    for (const Health health : {Health::well, Health::degraded, Health::crash_loop}) reachable.insert(app_state(state, health));
  }
  EXPECT_EQ(names, reachable);
}

TEST(States, EachPhaseOfAWorkerHasItsRow) {
  using enum WorkerPhase;
  std::set<std::string_view> names;
  for (const StateRow& row : worker_states()) EXPECT_TRUE(names.insert(row.name).second) << row.name << " stands twice";
  std::set<std::string_view> reachable{waiting_state};
  for (const WorkerPhase phase : {starting, ready, draining, terminating, killing}) reachable.insert(worker_state(phase));
  EXPECT_EQ(names, reachable);
}

TEST(States, EachCauseHasItsRowAndItsSeries) {
  const std::string metrics = metrics_text(AppStatus{.name = "api"});
  for (int i = 0; i <= static_cast<int>(EndCause::stop); ++i) {
    const std::string_view name = to_string(static_cast<EndCause>(i));
    const CauseRow* const row = find_cause(name);
    ASSERT_TRUE(row) << name;
    EXPECT_EQ(static_cast<int>(row->cause), i);
    EXPECT_NE(metrics.find("cause=\"" + std::string(name) + "\""), std::string::npos) << name;
  }
  EXPECT_FALSE(find_cause("of another version"));
}

TEST(States, OneOfAnotherVersionIsShownAsChanging) { EXPECT_EQ(tone_of("of another version"), Tone::changing); }

}  // namespace
}  // namespace muster::cli
