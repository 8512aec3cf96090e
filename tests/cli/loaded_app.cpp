// SPDX-License-Identifier: MIT
#include "loaded_app.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace muster::test {
namespace {

constexpr int patience_ms = 60'000;

std::string program() { return std::string(MUSTER_BINARY_DIR) + "/muster"; }

}  // namespace

LoadedApp::LoadedApp(const std::vector<std::string>& settings, const std::map<std::string, std::string>& env) {
  std::vector<std::string> words{"/usr/bin/env", "XDG_RUNTIME_DIR=" + folder_.path(), "XDG_STATE_HOME=" + folder_.path(),
                                 "TMPDIR=" + folder_.path()};
  for (const auto& [name, value] : env) words.push_back(fmt::format("{}={}", name, value));
  words.insert(words.end(), {program(), "run", "--name", "app"});
  words.insert(words.end(), settings.begin(), settings.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  const int error = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  output_ = ends[0];
  if (error != 0) {
    close(output_);
    throw std::runtime_error("cannot start " + program());
  }
  try {
    wait_for(" ready on ");
  } catch (...) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(output_);
    throw;
  }
}

LoadedApp::~LoadedApp() {
  kill(pid_, SIGTERM);
  // Its output ends with its last process.
  std::array<char, 4096> buffer;
  pollfd input{output_, POLLIN, 0};
  while (poll(&input, 1, patience_ms) > 0 && read(output_, buffer.data(), buffer.size()) > 0) {
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(output_);
}

std::string LoadedApp::wait_for(std::string_view part) {
  for (;;) {
    for (std::size_t end; (end = text_.find('\n', position_)) != std::string::npos;) {
      std::string line = text_.substr(position_, end - position_);
      position_ = end + 1;
      if (line.find(part) != std::string::npos) return line;
    }
    std::array<char, 4096> buffer;
    pollfd input{output_, POLLIN, 0};
    const ssize_t size = poll(&input, 1, patience_ms) > 0 ? read(output_, buffer.data(), buffer.size()) : 0;
    if (size <= 0) throw std::runtime_error("it does not say \"" + std::string(part) + "\":\n" + text_);
    text_.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

ProgramResult LoadedApp::command(std::vector<std::string> words) const {
  words.insert(words.begin(), program());
  words.emplace_back("app");
  return run_program(words, {{"XDG_RUNTIME_DIR", folder_.path()}, {"XDG_STATE_HOME", folder_.path()}});
}

nlohmann::json LoadedApp::status() const { return nlohmann::json::parse(command({"status", "--json"}).output); }

std::vector<int> LoadedApp::workers() const {
  std::vector<int> pids;
  const nlohmann::json now = status();
  for (const auto& worker : now["workers"]) {
    if (worker["state"] == "ready") pids.push_back(worker["pid"]);
  }
  return pids;
}

std::size_t LoadedApp::memory() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/smaps_rollup");
  for (std::string word; file >> word;) {
    if (word == "Private_Dirty:" && file >> word) return std::stoul(word);
  }
  throw std::runtime_error("no memory of " + std::to_string(pid_));
}

}  // namespace muster::test
