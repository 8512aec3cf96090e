// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

// The command line of a program that measures. CLI11's templates are compiled here once, and not in each of them.
class CommandLine {
 public:
  explicit CommandLine(const char* description);
  ~CommandLine();

  // What is given is put there; what is there is used where nothing is given.
  CommandLine& add(const char* name, std::string& value, const char* help = "");
  CommandLine& add(const char* name, std::string& value, const std::vector<std::string>& words);
  CommandLine& add_count(const char* name, std::size_t& value, const char* help = "");  // from 1
  CommandLine& add_size(const char* name, std::size_t& value, const char* help = "");   // from 0
  CommandLine& add_port(const char* name, int& value);
  CommandLine& add(const char* name, double& value, const char* help = "");  // from 0
  CommandLine& add_flag(const char* name, bool& value, const char* help);

  // Ends the process where the line is wrong, and where it asks for help.
  void parse(int argc, char** argv);

 private:
  std::unique_ptr<CLI::App> app_;
};
