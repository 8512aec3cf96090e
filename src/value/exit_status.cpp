#include <muster/exit_status.h>

namespace muster {

std::string ExitStatus::to_string() const { return signal_ ? signal_->name() : std::to_string(code_.value_or(0)); }

}  // namespace muster
