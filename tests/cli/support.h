// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <nlohmann/json.hpp>

#include "support/run.h"

namespace muster::test {

// How long a test waits for what ought to happen, before it fails.
inline constexpr std::chrono::seconds patience{100};

// What runs the command: whatever it is, with words before and after.
struct Launch {
  std::vector<std::string> words = {};          // after `muster`
  std::map<std::string, std::string> env = {};  // added
  std::vector<std::string> before = {};         // {"taskset", "-c", "0"}
  std::string program = {};                     // another than the one that was built
  std::string cwd = {};                         // default: the folder of the test
  int output = -1;                              // where its output goes, when that is not to be read here
};

struct Ended {
  int code = -1;  // -1: a signal ended it
  int signal = 0;
  std::string out = {}, err = {};
  std::string all() const { return out + err; }
  nlohmann::json json() const;  // of `out`; fails the test when it is none
};

// A `muster` that runs in the foreground: its output is read as it comes.
class Running {
 public:
  Running(const class Session& session, Launch launch);
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running();

  int pid() const { return pid_; }
  void signal(int number) const;
  // Waits for a line that contains this, after the one that was waited for before; the line. Fails the test, and returns
  // nothing, when none comes.
  std::string line(std::string_view part);
  // So many of them.
  void lines(std::string_view part, int count);
  // Waits for its end, and reads what is left to be read: also of a successor that has its output.
  int exit_code();
  // Without waiting for whoever else has its output.
  int own_exit_code();
  // What was read so far, and what can be read now.
  const std::string& output();
  bool alive();

 private:
  bool read_more(std::chrono::steady_clock::time_point until);
  void reap();

  int pid_ = 0;
  int fd_ = -1;
  std::string output_;
  std::size_t position_ = 0;
  std::optional<int> status_;
};

// Folders of its own for the apps of one test. At the end everything that was started in it, whoever is its parent by then, is
// killed.
class Session {
 public:
  Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  const std::string& path() const { return folder_.path(); }
  std::string file(const std::string& name) const { return path() + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const { return folder_.write(name, text); }
  std::string read(const std::string& name) const;
  std::string runtime(const std::string& name) const { return path() + "/run/muster/" + name; }
  std::string state(const std::string& name) const { return path() + "/state/muster/" + name; }
  // What is left in TMPDIR.
  std::vector<std::string> temporary_files() const;

  // Runs the command to its end.
  Ended run(std::vector<std::string> words) const;
  Ended run(Launch launch) const;
  // What a primary answers to one command; null when it does not.
  nlohmann::json ask(const std::string& app, const nlohmann::json& request) const;
  nlohmann::json status(const std::string& app) const;
  // The processes of its workers that are ready.
  std::vector<int> workers(const std::string& app) const;

 private:
  friend class Running;
  TemporaryFolder folder_;
};

// Of HTTP, one connection at a time.
class Connection {
 public:
  explicit Connection(int port, const std::string& host = "127.0.0.1");
  explicit Connection(const std::string& unix_path);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  bool connected() const { return error_ == 0; }
  int error() const { return error_; }
  bool send(std::string_view text) const;
  // Reads until this was received, the other side closes or nothing comes; all since the last time.
  std::string until(std::string_view part);
  // To the end. `whole` tells that there was an end, and no error.
  std::string rest();
  bool whole() const { return ended_ && !failed_; }
  // One response: with Content-Length, or chunked.
  std::string response();
  int descriptor() const { return fd_; }
  void half_close() const;

 private:
  bool read_more();

  int fd_ = -1;
  int error_ = 0;
  bool ended_ = false, failed_ = false;
  std::string received_;
};

// The body of a GET; "refused" or "cut off" when there is none.
std::string get(int port, const std::string& path = "/");
// The bodies of so many.
std::map<std::string, int> gets(int port, int count);

// Tries until it holds: for what tells nobody when it happens. False, with a failed test, when it never does.
bool eventually(const std::function<bool()>& holds, std::string_view what = "it");
// Waits until a process has ended, whose parent need not be this one.
bool gone(int pid);
bool is_alive(int pid);
// All below this process, or another one.
std::vector<int> children_of(int pid);
// The letter of its state: R S T Z; 0 when there is none.
char process_state(int pid);

bool has(std::string_view text, std::string_view part);
int count_of(std::string_view text, std::string_view part);

// An HTTP server in JavaScript that listens on a port and answers `body`, an expression.
std::string server_js(int port, const std::string& body = "String(process.pid)", const std::string& before = "");

}  // namespace muster::test
