// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <muster/function.h>

#include "config/app_config.h"
#include "os/file.h"
#include "primary/output.h"

namespace muster::cli {

// One fact: a line that a worker printed, or something muster has to say.
struct LogLine {
  enum class Stream { out, err, muster };

  std::int64_t time = 0;  // milliseconds since the epoch
  Stream stream = Stream::muster;
  unsigned seat = 0;  // 0: of the primary
  int pid = 0;
  std::string text = {};
};

// `{"time":...,"app":...}` without the end of the line.
std::string json_text(const LogLine& line, const std::string& app);
// For a file: `2026-11-21T19:50:01.123Z api/2[4711] out text`.
std::string file_text(const LogLine& line, const std::string& app);
// For a terminal, or whoever adds the time: `api/2 | text`.
std::string short_text(const LogLine& line, const std::string& app);

// Where the lines of an app go: to standard output and error, or to a file that is rotated: NAME.log, NAME.log.1, ... What
// cannot be written (a full disk, a reader who does not read) is counted, and said when it can again: it stops nobody.
class Log {
 public:
  // As the configuration has it; an empty `file` means standard output and error.
  Log(Loop& loop, const AppConfig& config, std::string file);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  void write(LogLine line);
  // A fact of the primary, of one line or more.
  void say(std::string_view text);
  // Why the file could not be opened when it was last tried; an errno.
  int error() const { return error_; }
  // Opens the file again, for those who rotate it themselves.
  void reopen();

  const std::deque<LogLine>& latest() const { return latest_; }
  // Hears each line from now on, until unfollow().
  using Follower = Function<void(const LogLine&)>;
  unsigned follow(Follower follower);
  // Makes a file again that somebody has removed. What was moved away is written to until reopen().
  void restore();
  void unfollow(unsigned number) { followers_.erase(number); }

 private:
  std::string text_of(const LogLine& line) const;
  bool to_terminal(LogLine::Stream stream) const;
  bool put(LogLine::Stream stream, const std::string& text);
  bool put_into_file(std::string text);
  std::string folder_name() const;
  std::string name() const;  // of the file in its folder
  void rotate();
  void open();

  Loop& loop_;
  std::string app_;
  LogFormat format_;
  std::string file_;
  Output out_, err_;
  bool printable_out_ = false, printable_err_ = false;  // they are terminals, which lines of workers must not steer
  bool one_stream_ = false;                             // both are the same pipe, and a line may be written in parts
  std::uint64_t rotate_at_;
  unsigned keep_;
  os::Folder folder_;  // of the file
  OwnedFd fd_;
  std::unique_ptr<Output> pipe_;  // on the same, where it is no regular file
  int error_ = 0;                 // of open()
  std::uint64_t size_ = 0;
  std::uint64_t lost_ = 0;
  bool cut_ = false;  // in the middle of a line
  std::deque<LogLine> latest_;
  std::size_t latest_bytes_ = 0;
  std::map<unsigned, std::shared_ptr<Follower>> followers_;
  unsigned next_follower_ = 1;
};

std::int64_t now_ms();

}  // namespace muster::cli
