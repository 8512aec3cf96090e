// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::core {

// Appends a code point. A lone surrogate becomes its three generalised UTF-8 bytes.
void append_utf8(std::string& out, std::uint32_t code_point);

// Appends `bytes`, with U+FFFD for each maximal part that is not UTF-8, as TextDecoder does.
void append_replacing_invalid(std::string& out, std::string_view bytes);

// Append text in another encoding. Halves of a pair that stand alone are kept as lone surrogates.
void append_latin1(std::string& out, std::string_view bytes);
void append_utf16le(std::string& out, std::string_view bytes);  // of an even number of bytes

// Takes the code point at the start of `bytes` (not empty) away. A lone surrogate is one; for a byte that
// begins nothing it is U+FFFD.
std::uint32_t take_code_point(std::string_view& bytes);

// Length of the UTF-8 sequence at the start of `bytes` (not empty), 0 when it is not one.
std::size_t utf8_sequence(std::string_view bytes);

// The lone surrogate at the start of `bytes`, 0 when there is none.
std::uint32_t lone_surrogate(std::string_view bytes);

}  // namespace muster::core
