// SPDX-License-Identifier: MIT
#include "os/acting_as.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace muster::os {
namespace {

// Those by which a process passes over the permissions of files.
constexpr std::uint32_t file_capabilities = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH |
                                            1U << CAP_FOWNER | 1U << CAP_FSETID | 1U << CAP_LINUX_IMMUTABLE | 1U << CAP_MKNOD;

// The C library would change every thread of the process, so the system is called directly.
bool set_groups(const std::vector<gid_t>& groups) { return syscall(SYS_setgroups, groups.size(), groups.data()) == 0; }

static_assert(sizeof(__user_cap_data_struct) == 3 * sizeof(std::uint32_t));

bool get_capabilities(std::uint32_t (&sets)[6]) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capget, &header, sets) == 0;
}

bool set_capabilities(const std::uint32_t (&sets)[6]) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capset, &header, sets) == 0;
}

// They do not tell whether they did anything; asking for what cannot be tells what there is.
uid_t file_uid() { return static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1))); }
gid_t file_gid() { return static_cast<gid_t>(setfsgid(static_cast<gid_t>(-1))); }

}  // namespace

ActingAs::ActingAs(std::optional<int> uid, std::optional<int> gid) {
  if (uid) begin(static_cast<uid_t>(*uid), gid ? static_cast<gid_t>(*gid) : getegid());
}

void ActingAs::begin(uid_t uid, gid_t gid) {
  const int count = getgroups(0, nullptr);
  groups_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  if (count < 0 || getgroups(count, groups_.data()) != count || !get_capabilities(capabilities_)) {
    error_ = errno;
    return;
  }
  uid_ = file_uid();
  gid_ = file_gid();
  acting_ = true;
  std::uint32_t without[6];
  std::memcpy(without, capabilities_, sizeof without);
  without[0] &= ~file_capabilities;  // of the effective ones
  const bool done =
      set_groups({}) && (setfsgid(gid), file_gid() == gid) && (setfsuid(uid), file_uid() == uid) && set_capabilities(without);
  if (!done) error_ = EPERM;
}

ActingAs::~ActingAs() {
  if (!acting_) return;
  setfsuid(uid_);
  setfsgid(gid_);
  set_capabilities(capabilities_);
  set_groups(groups_);
}

}  // namespace muster::os
