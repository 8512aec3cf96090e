// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "support/run.h"

namespace muster::test {

// An app called `app` that `muster run` runs for a test, in folders of its own, and the commands that are given to it.
class LoadedApp {
 public:
  // Returns when all of its workers are ready.
  LoadedApp(const std::vector<std::string>& settings, const std::map<std::string, std::string>& env);
  LoadedApp(const LoadedApp&) = delete;
  LoadedApp& operator=(const LoadedApp&) = delete;
  // Ends it, and waits for that.
  ~LoadedApp();

  int pid() const { return pid_; }
  // Waits until it has printed a line that contains this, after those that were waited for before; throws when it does not.
  std::string wait_for(std::string_view part);
  // A command to it, to its end: {"reload"}.
  ProgramResult command(std::vector<std::string> words) const;
  nlohmann::json status() const;
  // The processes of its workers that are ready.
  std::vector<int> workers() const;
  std::size_t memory() const;  // of the primary, in KiB

 private:
  TemporaryFolder folder_;
  int pid_ = 0;
  int output_ = -1;
  std::string text_;
  std::size_t position_ = 0;
};

}  // namespace muster::test
