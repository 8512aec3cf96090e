// SPDX-License-Identifier: MIT
#include "os/process_use.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace muster::os {

std::optional<ProcessUse> process_use(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  // The second field is the program's name in brackets, which may hold anything.
  const auto bracket = text.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(bracket + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0, system = 0, pages = 0;
  fields >> user >> system;
  for (int field = 16; field < 24; ++field) fields >> skipped;
  if (!(fields >> pages)) return std::nullopt;
  static const auto ticks = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  static const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return ProcessUse{pages * page, (user + system) * 1000 / ticks};
}

}  // namespace muster::os
