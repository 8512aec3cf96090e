// SPDX-License-Identifier: MIT
#include "support/node.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace muster::test {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string node_program(int version) {
  std::string path = MUSTER_SOURCE_DIR "/build/peers/node" + std::to_string(version);
  // A test that cannot be run has failed.
  if (access(path.c_str(), X_OK) != 0) throw std::runtime_error(path + " is missing: ./dev test installs it");
  return path;
}

std::string node_name(int version) { return "Node" + std::to_string(version); }

std::string node_modules() {
  std::string path = MUSTER_SOURCE_DIR "/build/programs/node_modules";
  const std::string wanted = MUSTER_SOURCE_DIR "/tests/interop/programs/package-lock.json";
  if (access(path.c_str(), R_OK) != 0 || contents(MUSTER_SOURCE_DIR "/build/programs/installed") != contents(wanted)) {
    throw std::runtime_error(path + " is missing, or is not what " + wanted + " names: ./dev test installs it");
  }
  return path;
}

}  // namespace muster::test
