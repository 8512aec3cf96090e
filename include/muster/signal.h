// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace muster {

// A signal by number, printed by the name Node gives it ("SIGTERM").
class Signal {
 public:
  explicit constexpr Signal(int number) : number_(number) {}

  // Reads "SIGTERM". Empty for a name this system does not know.
  static std::optional<Signal> from_name(std::string_view name);

  [[nodiscard]] constexpr int number() const { return number_; }
  // "SIGTERM"; "SIG" and the number where the system has no name for it.
  [[nodiscard]] std::string name() const;

  friend bool operator==(const Signal&, const Signal&) = default;

  static const Signal hup, interrupt, quit, kill, usr1, usr2, term, stop, cont;

 private:
  int number_;
};

}  // namespace muster
