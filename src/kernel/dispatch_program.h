// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace muster::kernel {

// dispatch.bpf.c, compiled for the kernel. The build writes these bytes.
extern const unsigned char dispatch_program[];
extern const std::size_t dispatch_program_size;

}  // namespace muster::kernel
