// SPDX-License-Identifier: MIT
#include <muster/exit_status.h>
#include <ostream>

namespace muster {

std::string ExitStatus::to_string() const { return signal_ ? signal_->name() : std::to_string(code_.value_or(0)); }

std::ostream& operator<<(std::ostream& out, const ExitStatus& status) { return out << status.to_string(); }

}  // namespace muster
