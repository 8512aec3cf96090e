// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <muster/loop.h>

#include "os/fd.h"

namespace muster::cli {

// What somebody else reads: standard output or error, a pipe, a terminal. Nobody waits for a reader who does not read: what it
// has not taken is kept, up to a limit, and written when it does.
class Output {
 public:
  // The descriptor stays whose it is.
  Output(Loop& loop, int descriptor);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  // Waits a moment for a reader who is slow.
  ~Output();

  // `full`: too much is kept, and this is lost. `gone`: nobody reads, and this and what was kept is lost.
  enum class Written { yes, full, gone };
  Written write(std::string_view text);
  // How many lines that were kept are lost since the last time.
  std::size_t take_lost() { return std::exchange(lost_, 0); }
  // Loses what is kept, without waiting.
  void give_up();

 private:
  enum class Wait { no, a_moment };
  // Whether what is kept can still be written some time.
  bool flush(Wait wait);
  bool try_again();

  Loop& loop_;
  int descriptor_;
  bool is_socket_ = false;  // which is told not to wait by its call
  OwnedFd own_;             // a terminal or pipe, opened again to be non-blocking here only
  std::string kept_;
  std::size_t written_ = 0;  // of what is kept
  std::size_t lost_ = 0;
  Timer again_;
  bool waiting_ = false;
};

}  // namespace muster::cli
