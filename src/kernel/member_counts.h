// SPDX-License-Identifier: MIT
#pragma once

#include <linux/types.h>

// What a process and the program in the kernel share, in the C that both compilers read.
#ifdef __cplusplus
namespace muster::kernel {
#endif

enum { max_members = 1024 };

// The page that a worker maps. The kernel adds to `dispatched`, the worker alone writes `accepted`; what is between them waits
// for the worker. The worker can write both: the program believes nothing of it but how busy this worker is.
struct member_counts {
  __u64 dispatched;
  __u64 accepted;
};

#ifdef __cplusplus
}  // namespace muster::kernel
#endif
