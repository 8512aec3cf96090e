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

Env worker(const std::string& name, Env more) {
  more["MUSTER_TEST_WORKER"] = name;
  return more;
}

}  // namespace muster::test

int main(int argc, char** argv) {
  if (const char* name = std::getenv("MUSTER_TEST_WORKER")) {
    muster::Loop loop;
    muster::Cluster cluster(loop, argc, argv);
    return muster::test::workers().at(name)(loop, cluster);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
