// SPDX-License-Identifier: MIT
#pragma once

#include <system_error>

#include <muster/function.h>
#include <muster/handle.h>
#include <muster/value.h>

namespace muster {

// What a `message` event brings. Move the handle out to keep it; it is closed after the last listener
// otherwise.
struct Message {
  Value data;
  Handle handle;
};

// Called when the message is with the system, or with why it never will be.
using SendCallback = Function<void(std::error_code)>;

}  // namespace muster
