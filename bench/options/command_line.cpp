// SPDX-License-Identifier: MIT
#include "options/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

CommandLine::CommandLine(const char* description) : app_(std::make_unique<CLI::App>(description)) {}
CommandLine::~CommandLine() = default;

CommandLine& CommandLine::add(const char* name, std::string& value, const char* help) {
  app_->add_option(name, value, help)->capture_default_str();
  return *this;
}

CommandLine& CommandLine::add(const char* name, std::string& value, const std::vector<std::string>& words) {
  app_->add_option(name, value)->check(CLI::IsMember(words))->capture_default_str();
  return *this;
}

CommandLine& CommandLine::add_count(const char* name, std::size_t& value, const char* help) {
  app_->add_option(name, value, help)->check(CLI::PositiveNumber)->capture_default_str();
  return *this;
}

CommandLine& CommandLine::add_size(const char* name, std::size_t& value, const char* help) {
  app_->add_option(name, value, help)->capture_default_str();
  return *this;
}

CommandLine& CommandLine::add_port(const char* name, int& value) {
  app_->add_option(name, value)->check(CLI::Range(0, 65535))->capture_default_str();
  return *this;
}

CommandLine& CommandLine::add(const char* name, double& value, const char* help) {
  app_->add_option(name, value, help)->check(CLI::NonNegativeNumber)->capture_default_str();
  return *this;
}

CommandLine& CommandLine::add_flag(const char* name, bool& value, const char* help) {
  app_->add_flag(name, value, help);
  return *this;
}

void CommandLine::parse(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app_->exit(error));
  }
}
