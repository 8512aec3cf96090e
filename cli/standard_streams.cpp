// SPDX-License-Identifier: MIT
#include "standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

namespace muster::cli {

void open_standard_streams() {
  for (;;) {
    const int fd = open("/dev/null", O_RDWR);
    if (fd < 0 || fd > STDERR_FILENO) {
      if (fd >= 0) close(fd);
      return;
    }
  }
}

}  // namespace muster::cli
