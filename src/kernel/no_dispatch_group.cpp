// SPDX-License-Identifier: MIT
// In place of dispatch_group.cpp in a build without libbpf or clang.

#include "kernel/dispatch_group.h"

#include <cerrno>

#ifndef MUSTER_BUILT_WITHOUT
#define MUSTER_BUILT_WITHOUT "libbpf"
#endif

namespace muster::kernel {

std::variant<std::unique_ptr<DispatchGroup>, std::string> DispatchGroup::create() {
  return "muster was built without " MUSTER_BUILT_WITHOUT;
}

// There is no group to call the rest of.
void DispatchGroup::CloseObject::operator()(bpf_object*) const {}
DispatchGroup::~DispatchGroup() = default;
std::variant<unsigned, int> DispatchGroup::add(int) { return ENOSYS; }
void DispatchGroup::remove(unsigned) {}
void DispatchGroup::settle() {}
OwnedFd DispatchGroup::counters(unsigned) const { return {}; }

}  // namespace muster::kernel
