// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include <muster/signal.h>

namespace muster {

// How a process ended: Node's pair (code, signal), of which one is always null.
class ExitStatus {
 public:
  static ExitStatus exited(int code) { return ExitStatus(code, std::nullopt); }
  static ExitStatus killed(Signal signal) { return ExitStatus(std::nullopt, signal); }

  // The exit code, when the process ended by itself.
  [[nodiscard]] std::optional<int> code() const { return code_; }
  // The signal, when one ended the process.
  [[nodiscard]] std::optional<Signal> signal() const { return signal_; }
  [[nodiscard]] bool success() const { return code_ == 0; }

  // "0", "SIGKILL": what an exit handler prints with Node's `signal || code`.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;

 private:
  ExitStatus(std::optional<int> code, std::optional<Signal> signal) : code_(code), signal_(signal) {}

  std::optional<int> code_;
  std::optional<Signal> signal_;
};

// to_string().
std::ostream& operator<<(std::ostream& out, const ExitStatus& status);

}  // namespace muster
