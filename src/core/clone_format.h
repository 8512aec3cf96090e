// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>

#include <muster/value.h>

// The words of the structured clone format, for its reader and its writer. docs/protocol.md has the grammar.
namespace muster::core::clone_format {

static_assert(std::endian::native == std::endian::little, "V8 writes numbers as its machine stores them");

inline constexpr std::uint32_t oldest_version = 13;
inline constexpr std::uint32_t version_with_view_flags = 14;
inline constexpr std::uint32_t latest_version = 15;

namespace tag {

enum : char {
  version = '\xff',
  padding = '\0',
  object_count = '?',
  hole = '-',
  undefined = '_',
  null = '0',
  true_value = 'T',
  false_value = 'F',
  int32 = 'I',
  uint32 = 'U',
  number = 'N',
  bigint = 'Z',
  one_byte_string = '"',
  two_byte_string = 'c',
  utf8_string = 'S',
  reference = '^',
  object = 'o',
  end_object = '{',
  dense_array = 'A',
  end_dense_array = '$',
  sparse_array = 'a',
  end_sparse_array = '@',
  date = 'D',
  true_object = 'y',
  false_object = 'x',
  number_object = 'n',
  bigint_object = 'z',
  string_object = 's',
  regexp = 'R',
  map = ';',
  end_map = ':',
  set = '\'',
  end_set = ',',
  array_buffer = 'B',
  resizable_array_buffer = '~',
  view = 'V',
  host_object = '\\',
  error = 'r',
};

}  // namespace tag

// Of an error, after its tag.
namespace part {

enum : char { message = 'm', stack = 's', cause = 'c', end = '.' };

}  // namespace part

// How Node marks its host objects.
inline constexpr std::uint32_t host_view = 0;
inline constexpr std::uint32_t host_copy = 1;

// The views, by the number that Node gives them and by the letter that V8 does.
struct ViewKind {
  View::Type type;
  char letter;  // Node's Buffer has none
};
inline constexpr ViewKind view_kinds[] = {
    {View::Type::int8, 'b'},      {View::Type::uint8, 'B'},     {View::Type::uint8_clamped, 'C'}, {View::Type::int16, 'w'},
    {View::Type::uint16, 'W'},    {View::Type::int32, 'd'},     {View::Type::uint32, 'D'},        {View::Type::float32, 'f'},
    {View::Type::float64, 'F'},   {View::Type::data_view, '?'}, {View::Type::buffer, '\0'},       {View::Type::bigint64, 'q'},
    {View::Type::biguint64, 'Q'}, {View::Type::float16, 'h'},
};

struct ErrorKind {
  ErrorObject::Type type;
  char letter;
};
inline constexpr ErrorKind error_kinds[] = {
    {ErrorObject::Type::eval_error, 'E'},   {ErrorObject::Type::range_error, 'R'}, {ErrorObject::Type::reference_error, 'F'},
    {ErrorObject::Type::syntax_error, 'S'}, {ErrorObject::Type::type_error, 'T'},  {ErrorObject::Type::uri_error, 'U'},
};

// In the order in which JavaScript lists them.
struct RegExpFlag {
  char letter;
  std::uint32_t bit;
};
inline constexpr RegExpFlag regexp_flags[] = {{'d', 128}, {'g', 1},  {'i', 2},   {'m', 4},
                                              {'s', 32},  {'u', 16}, {'v', 256}, {'y', 8}};

}  // namespace muster::core::clone_format
