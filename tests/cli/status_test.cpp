// SPDX-License-Identifier: MIT
#include "status.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace muster::cli;

TEST(Status, IsTheSameAfterItWentThroughJson) {
  AppStatus status;
  status.name = "api";
  status.workers.push_back({.seat = 1, .pid = 7, .state = "ready", .connections = 3, .lag = 0.5});
  status.obituaries.push_back({.seat = 1, .code = 1, .cause = "crashed", .last_words = {"oh"}});

  const auto json = nlohmann::json(status);
  const auto read = nlohmann::json::parse(json.dump()).get<AppStatus>();

  EXPECT_EQ(nlohmann::json(read), json);
  EXPECT_EQ(read.workers[0].connections, 3);
  EXPECT_FALSE(read.workers[0].next_try_in);
}
