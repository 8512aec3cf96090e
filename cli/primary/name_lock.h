// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "os/fd.h"

namespace muster::cli {

// The name of an app is one primary's: a file that it holds locked, whatever becomes of it. The lock goes with the process.
class NameLock {
 public:
  NameLock() = default;
  NameLock(const NameLock&) = delete;
  NameLock& operator=(const NameLock&) = delete;
  ~NameLock() { free(); }

  // What there is to say when it cannot be had; nothing when it is ours.
  std::optional<std::string> take(const std::string& path, const std::string& app);
  // From a primary whose place this one takes.
  void take_over(const std::string& path, OwnedFd lock);
  // There may be another now.
  void free();
  // It is another process's from now on, which has it open too.
  void hand_over(int pid);
  // Closes what is another's.
  void leave();
  // Makes the file again when somebody has removed it.
  void restore();
  explicit operator bool() const { return static_cast<bool>(file_); }
  int descriptor() const { return file_.get(); }

  // A folder to be removed by whoever has the name next, should this process end without doing it.
  void note_folder(const std::string& folder);
  // Those that the last one has left.
  const std::optional<std::string>& left_folder() const { return left_folder_; }

 private:
  bool is_ours() const;
  void write() const;

  std::string path_;
  OwnedFd file_;
  int pid_ = 0;  // whose it is, where that is another process
  std::string folder_;
  std::optional<std::string> left_folder_;
};

}  // namespace muster::cli
