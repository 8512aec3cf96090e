// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace muster::cli {

// Writes a text to standard output. Where it cannot be written, whatever else is to be done still is, and has_lost_output()
// tells.
void print(std::string_view text);
// The same, of lines that may have words of an app's in them: what could steer a terminal does not reach one.
void print_lines(std::string_view text);
bool has_lost_output();
// Writes "muster: " and a text to standard error. Where that cannot be written, there is nobody to tell.
void say_error(std::string_view text);

}  // namespace muster::cli
