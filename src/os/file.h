// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "os/fd.h"

namespace muster::os {

struct FileText {
  std::string text = {};
  int error = 0;  // an errno: EFBIG for more than the limit, ETIMEDOUT where nobody writes to a pipe
};

// A whole file. What is no regular file is read to its end for so long; 0: not at all (EINVAL).
FileText read_file(const std::string& path, std::size_t limit, std::chrono::milliseconds patience = {});

// A folder, held open: what is done in it is done there, whatever becomes of its name. Where another user may change it, or a
// folder on the way to it, that one could lead us elsewhere: then no link is followed.
class Folder {
 public:
  Folder() = default;
  // Returns an errno.
  int open(const std::string& path);
  explicit operator bool() const { return static_cast<bool>(fd_); }
  // Whether another user may put something else in the place of what is in it.
  bool is_shared() const { return shared_; }

  // Opens a file to write at its end, and makes it where there is none. In a shared folder it must be this user's or the
  // folder's own, with no second name: EPERM otherwise. Does not wait for the reader of a pipe: ENXIO.
  struct Opened {
    OwnedFd file = {};
    int error = 0;
  };
  Opened append(const std::string& name) const;
  bool has(const std::string& name) const;
  // Whether it was removed: nothing can be made in it any more.
  bool is_gone() const;
  int rename(const std::string& from, const std::string& to) const;
  int remove(const std::string& name) const;

 private:
  OwnedFd fd_;
  bool shared_ = false;
};

}  // namespace muster::os
