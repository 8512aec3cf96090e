// SPDX-License-Identifier: MIT
#pragma once

#include <uv.h>

#include <gtest/gtest.h>

namespace muster::uv {

// A loop of libuv's that a test runs turn by turn. It outlives the Loop on it.
struct LibuvLoop : uv_loop_t {
  LibuvLoop() { EXPECT_EQ(uv_loop_init(this), 0); }
  LibuvLoop(const LibuvLoop&) = delete;
  LibuvLoop& operator=(const LibuvLoop&) = delete;
  ~LibuvLoop() {
    uv_run(this, UV_RUN_NOWAIT);
    EXPECT_EQ(uv_loop_close(this), 0);
  }
};

}  // namespace muster::uv
