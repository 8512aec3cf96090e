// SPDX-License-Identifier: MIT
#include <algorithm>
#include <csignal>
#include <exception>

#include "commands.h"
#include "config/options.h"
#include "say.h"
#include "standard_streams.h"

int main(int argc, char** argv) {
  try {
    muster::cli::open_standard_streams();
    // Whoever starts us may have them blocked, and we would never hear of the end.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (const auto code = muster::cli::run_hidden(argc, argv)) return *code;
    const int code = muster::cli::run(muster::cli::parse(argc, argv));
    if (!muster::cli::has_lost_output()) return code;
    muster::cli::say_error("cannot write to standard output");
    return std::max(code, 1);
  } catch (const std::exception& error) {
    muster::cli::say_error(error.what());
    return 1;
  }
}
