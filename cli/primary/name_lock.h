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
  // Names the process that has inherited the lock as its holder.
  void hand_over(int pid);
  // Closes the lock without freeing it.
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
  int pid_ = 0;  // the holder, if it is another process
  std::string folder_;
  std::optional<std::string> left_folder_;
};

}  // namespace muster::cli
