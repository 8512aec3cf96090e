// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace muster::os {

// For the time of a scope this thread deals with files as another user does: with that user's rights, and with none of its own.
// Only the thread is changed, not the process.
class ActingAs {
 public:
  // Nothing is changed without a user. Without a group it stays this process's.
  ActingAs(std::optional<int> uid, std::optional<int> gid);
  ActingAs(const ActingAs&) = delete;
  ActingAs& operator=(const ActingAs&) = delete;
  ~ActingAs();

  // An errno: then nothing may be done, for it would be done with the wrong rights.
  int error() const { return error_; }

 private:
  void begin(uid_t uid, gid_t gid);

  bool acting_ = false;
  int error_ = 0;
  std::vector<gid_t> groups_;
  gid_t gid_ = 0;
  uid_t uid_ = 0;
  std::uint32_t capabilities_[6] = {};  // as capget(2) gives them
};

}  // namespace muster::os
