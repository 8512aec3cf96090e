// SPDX-License-Identifier: MIT
#include "os/process_use.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace muster::os {

namespace {

// From the third on. Nothing when there is no such process.
std::optional<std::istringstream> fields_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  // The second field is the program's name in brackets, which may hold anything.
  const auto bracket = text.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  return std::istringstream(text.substr(bracket + 1));
}

}  // namespace

bool has_ended(int pid) {
  auto fields = fields_of(pid);
  if (!fields) return true;
  std::string state, skipped;
  *fields >> state;
  for (int field = 4; field < 20; ++field) *fields >> skipped;
  long threads = 0;
  return state == "Z" && *fields >> threads && threads <= 1;
}

std::optional<ProcessUse> process_use(int pid) {
  auto found = fields_of(pid);
  if (!found) return std::nullopt;
  std::istringstream& fields = *found;
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
