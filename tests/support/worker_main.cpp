// SPDX-License-Identifier: MIT
#include "support/worker_main.h"

#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

namespace muster::test {
namespace {

std::map<std::string, WorkerMain>& workers() {
  static std::map<std::string, WorkerMain> map;
  return map;
}

}  // namespace

WorkerRegistration::WorkerRegistration(const char* name, WorkerMain main) { workers()[name] = main; }

std::unique_ptr<Loop>& own_loop() {
  static std::unique_ptr<Loop> loop;
  return loop;
}

std::unique_ptr<Cluster>& own_cluster() {
  static std::unique_ptr<Cluster> cluster;
  return cluster;
}

Env worker(const std::string& name, Env more) {
  more["TESTS_WORKER"] = name;
  return more;
}

}  // namespace muster::test

int main(int argc, char** argv) {
  if (const char* name = std::getenv("TESTS_WORKER")) {
    muster::test::own_loop() = std::make_unique<muster::Loop>();
    muster::test::own_cluster() = std::make_unique<muster::Cluster>(*muster::test::own_loop(), argc, argv);
    const int code = muster::test::workers().at(name)(*muster::test::own_loop(), *muster::test::own_cluster());
    muster::test::own_cluster().reset();
    muster::test::own_loop().reset();
    return code;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
