// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace muster::cli {

// Writes a text to standard output, or "muster: " and a text to standard error. Where it cannot be written (nobody reads, a
// full disk) it is lost, and nothing else is.
void print(std::string_view text);
// The same, of lines that may have words of an app's in them: what could steer a terminal does not reach one.
void print_lines(std::string_view text);
void say_error(std::string_view text);

}  // namespace muster::cli
