// SPDX-License-Identifier: MIT
#include "uv/fd_table.h"

#include <algorithm>
#include <cstdint>

namespace muster::uv {
namespace {

std::uint32_t index_of(core::FdToken token) { return static_cast<std::uint32_t>(static_cast<std::uint64_t>(token)); }
std::uint32_t generation_of(core::FdToken token) { return static_cast<std::uint32_t>(static_cast<std::uint64_t>(token) >> 32); }

}  // namespace

core::FdToken FdTable::add(OwnedFd fd) {
  if (unused_.empty()) {
    unused_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = unused_.back();
  unused_.pop_back();
  slots_[index].fd = std::move(fd);
  return core::FdToken{(static_cast<std::uint64_t>(slots_[index].generation) << 32) | index};
}

int FdTable::get(core::FdToken token) const {
  const std::uint32_t index = index_of(token);
  if (index >= slots_.size() || slots_[index].generation != generation_of(token)) return -1;
  return slots_[index].fd.get();
}

bool FdTable::contains(int fd) const {
  return fd >= 0 && std::any_of(slots_.begin(), slots_.end(), [fd](const Slot& slot) { return slot.fd.get() == fd; });
}

OwnedFd FdTable::take(core::FdToken token) {
  if (get(token) < 0) return {};
  Slot& slot = slots_[index_of(token)];
  ++slot.generation;
  unused_.push_back(index_of(token));
  return std::move(slot.fd);
}

}  // namespace muster::uv
