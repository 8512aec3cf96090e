#include "support/node.h"

#include <unistd.h>

#include <stdexcept>

namespace muster::test {

std::string node_program(int version) {
  std::string path = MUSTER_SOURCE_DIR "/build/peers/node" + std::to_string(version);
  // A test that cannot be run has failed.
  if (access(path.c_str(), X_OK) != 0) throw std::runtime_error(path + " is missing: ./dev test installs it");
  return path;
}

std::string node_name(int version) { return "Node" + std::to_string(version); }

}  // namespace muster::test
