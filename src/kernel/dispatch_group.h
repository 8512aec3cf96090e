// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "os/fd.h"

struct bpf_object;

namespace muster::kernel {

// The listening sockets of one address, one for each worker, and the program in the kernel that deals new connections to them.
// The sockets keep the program: it goes on dealing when the group is gone.
class DispatchGroup {
 public:
  // A group, or what this machine or this process lacks, to follow "the policy is not available: ".
  static std::variant<std::unique_ptr<DispatchGroup>, std::string> create();
  ~DispatchGroup();
  DispatchGroup(const DispatchGroup&) = delete;
  DispatchGroup& operator=(const DispatchGroup&) = delete;

  // A TCP socket that listens, bound with SO_REUSEPORT where the others are, by the same user. It stays the caller's. Returns
  // the number of the new member or an errno, ENOSPC when there are 1,024. The kernel takes some 20 ms to see it, in which the
  // others get all; while it sees none, it deals by a hash of the addresses.
  std::variant<unsigned, int> add(int listener);
  // From now on the member gets no connection. What waits at its socket stays there, and moves to the others when its last copy
  // is closed.
  void remove(unsigned member);
  // Waits until the kernel sees every member.
  void settle();
  // For the worker of that member to map: see AcceptCounters.
  OwnedFd counters(unsigned member) const;

 private:
  struct CloseObject {
    void operator()(bpf_object* object) const;
  };
  struct Member {
    OwnedFd counts;
    // Waits until the kernel has seen `counts`.
    std::thread announcer;
  };

  explicit DispatchGroup(std::unique_ptr<bpf_object, CloseObject> object);
  void set_bound();

  std::unique_ptr<bpf_object, CloseObject> object_;
  // These belong to the object.
  int program_;
  int listeners_;
  int counts_;
  int present_;
  int bound_;
  std::vector<Member> members_;
};

}  // namespace muster::kernel
