#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <muster/loop.h>

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

  // False when it is lost: too much is kept, or it cannot be written at all.
  bool write(std::string_view text);

 private:
  enum class Wait { no, a_moment };
  // Whether what is kept can still be written some time.
  bool flush(Wait wait);
  bool try_again();

  Loop& loop_;
  int descriptor_;
  bool is_socket_ = false;  // which is told not to wait by its call
  std::string kept_;
  std::size_t written_ = 0;  // of what is kept
  Timer again_;
  bool waiting_ = false;
};

}  // namespace muster::cli
