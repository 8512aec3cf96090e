// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace muster::cli {

// A folder of what workers find on disk, which every user may read: the file that Node workers load first, and the socket for
// READY=1. Whatever cleans up old files may remove it: it is then made again, by its old name if that is still to be had.
class WorkerFiles {
 public:
  WorkerFiles() = default;
  WorkerFiles(const WorkerFiles&) = delete;
  WorkerFiles& operator=(const WorkerFiles&) = delete;
  ~WorkerFiles() { remove(); }

  // Makes what is missing. False where that cannot be, and error() says why.
  bool restore();
  // Empty before restore().
  const std::string& folder() const { return folder_; }
  // Empty when it could not be written: Node workers run without it.
  std::string agent() const;
  std::string notify_socket() const { return folder_.empty() ? "" : folder_ + "/notify"; }
  const std::string& error() const { return error_; }
  void remove();
  // What another process has left.
  static void remove_folder(const std::string& folder);

 private:
  bool make_folder();
  std::string agent_path() const { return folder_.empty() ? "" : folder_ + "/agent.cjs"; }

  std::string folder_, error_;
};

}  // namespace muster::cli
