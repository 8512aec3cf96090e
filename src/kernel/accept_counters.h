// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <utility>

namespace muster::kernel {

struct member_counts;

// A worker's side of a DispatchGroup: it tells the kernel how many connections it has taken from its queue. Costs no system
// call and needs no privilege.
class AcceptCounters {
 public:
  // Of what DispatchGroup::counters() gave, which may be closed afterwards.
  static std::optional<AcceptCounters> map(int fd);
  AcceptCounters(AcceptCounters&& other) noexcept : counts_(std::exchange(other.counts_, nullptr)) {}
  AcceptCounters& operator=(AcceptCounters&& other) noexcept {
    std::swap(counts_, other.counts_);
    return *this;
  }
  ~AcceptCounters();

  void accepted(unsigned connections);
  // accept() said EAGAIN. The kernel counts a connection when its handshake begins; those whose client never went on are
  // forgotten here. Nothing wakes a worker for such a one, so one that has been idle for a second calls accept() to see.
  void drained();

 private:
  explicit AcceptCounters(member_counts* counts) : counts_(counts) {}

  member_counts* counts_;
};

}  // namespace muster::kernel
