// SPDX-License-Identifier: MIT
#include "uv/pipe_mode.h"

#include <sys/stat.h>
#include <uv.h>

namespace muster::uv {

mode_t pipe_mode(mode_t mode, bool readable, bool writable) {
  // As the uv_pipe_chmod() that Node's own listeners get: since 1.51 it sets where it added.
  constexpr unsigned sets = 0x013300;
  if (uv_version() >= sets) mode = 0;
  if (readable) mode |= S_IRUSR | S_IRGRP | S_IROTH;
  if (writable) mode |= S_IWUSR | S_IWGRP | S_IWOTH;
  return mode;
}

}  // namespace muster::uv
