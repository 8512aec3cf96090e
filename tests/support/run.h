// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <muster/muster.h>

namespace muster::test {

// A primary for a test: a loop that gives up, failing the test, when what it waits for does not happen.
struct Primary {
  explicit Primary(std::chrono::seconds patience = std::chrono::seconds(200));

  // Runs until stop() or until nothing is left.
  void run();
  void stop() { loop.stop(); }
  // Disconnects everything and ends the run when all is gone.
  void finish();

  Loop loop;
  Cluster cluster;
  bool gave_up = false;

 private:
  Timer guard_;
};

// What forks workers whose channel is written in this way.
Settings speaking(Serialization serialization);

// Sends an HTTP request and tells the whole response, headers and body, when the server has closed; empty when
// the connection failed.
void http_get(Loop& loop, int port, Function<void(std::string)> done, const std::string& host = "127.0.0.1");
// The body of a response.
std::string body_of(const std::string& response);

// A program that a test starts and reads to its end.
struct ProgramResult {
  int exit_code = -1;  // -1 when a signal ended it
  std::string output;  // stdout and stderr
};
ProgramResult run_program(const std::vector<std::string>& command, const Env& env = {});

// An empty folder that goes when the test does.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  const std::string& path() const { return path_; }
  // Writes a file and returns its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

// A port that nobody has, TCP or UDP, to be named. Out of the range the system takes from for those who name none: one of those
// would be somebody else's in a moment.
int free_port();

// How many descriptors a process has open.
std::size_t open_descriptors(int pid);

}  // namespace muster::test
