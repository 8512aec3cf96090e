// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "support/run.h"

namespace muster::test {

// A program of examples/ under way, whose output is read as it comes. It is started as a worker that never speaks, which is how
// a primary can start any program.
struct Example : Primary {
  Example(const std::string& name, const Env& env, const std::vector<std::string>& arguments = {});

  // The first group of the first line that matches; empty when there is none yet.
  std::string find(const std::string& pattern) const;
  std::size_t count(const std::string& pattern) const;

  std::optional<Worker> program;
  std::string output, errors;
  Function<void()> on_output;
  std::optional<ExitStatus> status;
};

// One of them that ends by itself.
ProgramResult run_example(const std::string& name, const Env& env = {});

// Asks again until a server listens; `done` gets the body.
void get_when_up(Loop& loop, int port, const std::string& path, Function<void(std::string)> done);

std::size_t count_matches(const std::string& text, const std::string& pattern);

}  // namespace muster::test
