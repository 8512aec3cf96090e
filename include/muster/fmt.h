// SPDX-License-Identifier: MIT
#pragma once

#include <sstream>
#include <string>

#include <fmt/format.h>

#include <muster/address.h>
#include <muster/error.h>
#include <muster/exit_status.h>
#include <muster/value.h>
#include <muster/worker.h>

// For who uses {fmt}: fmt::format("{} ended with {}", worker, status). What it prints is what `<<` prints. The library itself
// does not need this header.
namespace muster::detail {

template <class T>
struct TextFormatter : fmt::formatter<std::string> {
  template <class Context>
  auto format(const T& thing, Context& context) const {
    std::ostringstream text;
    text << thing;
    return fmt::formatter<std::string>::format(text.str(), context);
  }
};

}  // namespace muster::detail

template <>
struct fmt::formatter<muster::Address> : muster::detail::TextFormatter<muster::Address> {};
template <>
struct fmt::formatter<muster::Error> : muster::detail::TextFormatter<muster::Error> {};
template <>
struct fmt::formatter<muster::ExitStatus> : muster::detail::TextFormatter<muster::ExitStatus> {};
template <>
struct fmt::formatter<muster::Value> : muster::detail::TextFormatter<muster::Value> {};
template <>
struct fmt::formatter<muster::Worker> : muster::detail::TextFormatter<muster::Worker> {};
