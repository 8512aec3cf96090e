// SPDX-License-Identifier: MIT
#include "kernel/accept_counters.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>

#include "kernel/member_counts.h"

namespace muster::kernel {
namespace {

// Only the order of one counter's values matters.
__u64 read(__u64& counter) { return std::atomic_ref(counter).load(std::memory_order_relaxed); }
void write(__u64& counter, __u64 value) { std::atomic_ref(counter).store(value, std::memory_order_relaxed); }

}  // namespace

std::optional<AcceptCounters> AcceptCounters::map(int fd) {
  void* page = mmap(nullptr, sizeof(member_counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return std::nullopt;
  return AcceptCounters(static_cast<member_counts*>(page));
}

AcceptCounters::~AcceptCounters() {
  if (counts_) munmap(counts_, sizeof *counts_);
}

void AcceptCounters::accepted(unsigned connections) {
  // Not beyond what was dispatched: a connection that drained() has forgotten may come yet.
  write(counts_->accepted, std::min(read(counts_->accepted) + connections, read(counts_->dispatched)));
}

void AcceptCounters::drained() { write(counts_->accepted, read(counts_->dispatched)); }

}  // namespace muster::kernel
