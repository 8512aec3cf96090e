// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <muster/muster.h>

// A test program forks itself: what its workers do stands beside the test that needs it. In a worker the
// program runs the function that the primary named in TESTS_WORKER, and no test.
//
//   WORKER(Echo) {
//     cluster.process().on_message([cluster](muster::Message& m) { ... });
//     return loop.run();
//   }
//   ... cluster.fork(worker("Echo"));
namespace muster::test {

using WorkerMain = int (*)(Loop& loop, Cluster& cluster);

struct WorkerRegistration {
  WorkerRegistration(const char* name, WorkerMain main);
};

// What a worker's function was given, for one that ends it.
std::unique_ptr<Loop>& own_loop();
std::unique_ptr<Cluster>& own_cluster();

// The environment for fork() that makes a worker run WORKER(name).
Env worker(const std::string& name, Env more = {});

}  // namespace muster::test

#define WORKER(name)                                                                                        \
  static int worker_##name([[maybe_unused]] muster::Loop& loop, [[maybe_unused]] muster::Cluster& cluster); \
  static const muster::test::WorkerRegistration registration_##name(#name, worker_##name);                  \
  static int worker_##name([[maybe_unused]] muster::Loop& loop, [[maybe_unused]] muster::Cluster& cluster)
