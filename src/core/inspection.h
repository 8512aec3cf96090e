// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/settings.h>

namespace muster::core {

// Where a debugger can reach a worker.
struct Inspection {
  std::string host;
  int port = 0;

  friend bool operator==(const Inspection&, const Inspection&) = default;
};

// Whether `settings.exec_argv` or `node_options`, the primary's NODE_OPTIONS, asks for inspection.
bool asks_to_inspect(const Settings& settings, std::string_view node_options);

// Gives each inspected worker a port of its own, as Node's createWorkerProcess() does.
class InspectPorts {
 public:
  // The port of the next worker: `chosen`, or the next of our own. Nothing where nobody asks. Throws
  // Exception(Errc::socket_bad_port) for one that is no port.
  std::optional<Inspection> next(const Settings& settings, std::string_view node_options, std::optional<int> chosen);

 private:
  int offset_ = 1;  // from the primary's own port
};

}  // namespace muster::core
