// SPDX-License-Identifier: MIT
// A loop is one thread's. What several threads may do all the same: each have a cluster of its own, and post to another's loop.

#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

// libuv closes by a bare system call, of which ThreadSanitizer hears nothing: a number that is another descriptor's now looks
// to it as if two had it.
extern "C" const char* __tsan_default_suppressions() { return "called_from_lib:libuv.so\n"; }

namespace muster::test {
namespace {

TEST(Loop, RunsWhatAnotherThreadPosts) {
  Loop loop;
  int ran = 0;
  const Timer guard = loop.set_timeout(std::chrono::seconds(60), [&] { loop.stop(1); });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 250; ++j) {
        loop.post([&] {
          if (++ran == 1000) loop.stop(0);
        });
      }
    });
  }

  EXPECT_EQ(loop.run(), 0);

  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ran, 1000);
}

// Adds what it is told to its cluster's name.
WORKER(Namesake) {
  auto server =
      http::create_server(cluster, [](http::Request&, http::Response& response) { response.end(std::getenv("NAME")); });
  server.listen(0);
  cluster.process().on_message(
      [&cluster](Message& message) { cluster.process().send(std::getenv("NAME") + std::string(message.data.as_string())); });
  return loop.run();
}

// A primary with two workers: forks, asks, talks, is answered, sees one die and the others go.
void live(const std::string& name) {
  Primary primary;
  std::map<std::string, int> said;
  int exits = 0;
  primary.cluster.on_exit([&](Worker, ExitStatus) {
    if (++exits == 1) primary.finish();
  });
  primary.cluster.on_message([&](Worker worker, Message& message) {
    ++said[std::string(message.data.as_string())];
    worker.process().kill(Signal::kill);
  });
  primary.cluster.on_listening(once([&](Worker worker, const Address& address) {
    http_get(primary.loop, address.port.value_or(0), [&said, worker](const std::string& response) mutable {
      ++said[body_of(response)];
      worker.send("!");
    });
  }));
  for (int i = 0; i < 2; ++i) primary.cluster.fork(worker("Namesake", {{"NAME", name}}));

  primary.run();

  EXPECT_FALSE(primary.gave_up) << name;
  EXPECT_EQ(exits, 2) << name;
  EXPECT_EQ(said, (std::map<std::string, int>{{name, 1}, {name + "!", 1}}));
}

TEST(Clusters, OfSeveralThreadsDoNotMeet) {
  std::vector<std::thread> threads;
  for (const char* name : {"a", "b", "c", "d"}) threads.emplace_back(live, name);
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace muster::test
