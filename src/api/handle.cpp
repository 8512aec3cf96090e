// SPDX-License-Identifier: MIT
#include <muster/handle.h>

#include <unistd.h>

#include <utility>
#include "os/close_shared.h"

namespace muster {

Handle::Handle(Handle&& other) noexcept
    : type_(std::exchange(other.type_, HandleType::none)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      received_(other.received_),
      origin_(std::move(other.origin_)) {}

Handle& Handle::operator=(Handle&& other) noexcept {
  if (this != &other) {
    close();
    type_ = std::exchange(other.type_, HandleType::none);
    descriptor_ = std::exchange(other.descriptor_, -1);
    received_ = other.received_;
    origin_ = std::move(other.origin_);
  }
  return *this;
}

Handle::~Handle() { close(); }

void Handle::close() noexcept {
  if (descriptor_ < 0) return;
  // Who connects to a listening Unix socket may send descriptors.
  if (received_ || type_ == HandleType::server) {
    os::close_shared(descriptor_);
  } else {
    ::close(descriptor_);
  }
}

int Handle::release() noexcept {
  type_ = HandleType::none;
  origin_.reset();
  return std::exchange(descriptor_, -1);
}

}  // namespace muster
