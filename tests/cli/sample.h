// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

namespace muster::test {

inline constexpr std::int64_t sample_time = 1717164131000;  // 2024-05-31 14:02:11 UTC

// An app in the middle of its life: one worker waits for its next try, one says nothing of itself.
inline cli::AppStatus sample_status() {
  cli::AppStatus app;
  app.name = "api";
  app.version = "1.0.0";
  app.pid = 4100;
  app.state = "degraded";
  app.app = "server.js";
  app.cwd = "/srv/api";
  app.policy = "round_robin";
  app.workers_wanted = 4;
  app.at = sample_time;
  app.started_at = sample_time - 273'600'000;
  app.uptime = 273'600'000;  // 3d 4h
  app.restarts = 7;
  app.reloads = 2;
  app.failed_reloads = 1;
  app.last_reload = "4 workers replaced in 812 ms";
  app.memory = 13'000'000;
  app.cpu = 0.3;
  app.listening = {"tcp://127.0.0.1:8000", "unix:/run/api.sock"};
  for (unsigned seat = 1; seat <= 3; ++seat) {
    cli::WorkerStatus worker;
    worker.seat = seat;
    worker.id = static_cast<int>(10 + seat);
    worker.pid = static_cast<int>(4200 + seat);
    worker.state = "ready";
    worker.started_at = sample_time - 7'500'000;
    worker.uptime = 7'500'000;  // 2h 5m
    worker.restarts = seat == 2 ? 1 : 0;
    worker.cpu = 7.5 * seat;
    worker.memory = (60 + seat) << 20;
    if (seat < 3) {
      worker.connections = 12;
      worker.accepted = 1000 * seat;
      worker.requests = 50'000 * seat;
      worker.messages = 20;
      worker.connections_per_second = 3.5;
      worker.requests_per_second = 1234.0 * seat;
      worker.messages_per_second = 0.2;
      worker.lag = 0.8;
    }
    app.workers.push_back(worker);
  }
  app.workers.push_back({.seat = 4, .id = 14, .state = "waiting", .restarts = 6, .next_try_in = 3200});
  app.seats = {{.seat = 1, .accepted = 3000, .requests = 250'000, .messages = 60},
               {.seat = 2, .accepted = 4000, .requests = 300'000, .messages = 80},
               {.seat = 3, .messages = 0}};
  app.totals = {.accepted = 7500, .requests = 600'000, .messages = 150};
  app.obituaries = {
      {.seat = 4,
       .id = 14,
       .pid = 4204,
       .ended_at = sample_time - 5000,
       .lived = 3100,
       .was_ready = true,
       .code = 1,
       .cause = "crashed",
       .detail = "",
       .done = "restarts after 8.2 s",
       .next_try_at = sample_time + 3200,
       .last_words = {"/srv/api/server.js:41", "    throw new Error('no database');", "", "Error: no database"}},
      {.seat = 2,
       .id = 9,
       .pid = 4190,
       .ended_at = sample_time - 7'501'000,
       .lived = 90'000'000,
       .was_ready = true,
       .signal = "SIGTERM",
       .cause = "memory",
       .detail = "used 210 MiB of 200 MiB",
       .done = "replaced by pid 4202"},
  };
  app.ended = {{"crashed", 6}, {"memory", 1}, {"reload", 8}};
  return app;
}

}  // namespace muster::test
