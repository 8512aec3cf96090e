// SPDX-License-Identifier: MIT
// A Value as JSON, for the program: what muster::Value declares.

#include <ostream>

#include <muster/error.h>
#include <muster/value.h>
#include "core/json.h"

namespace muster {
namespace {

const char* reason(core::Written written) {
  return written == core::Written::has_bigint ? "holds a bigint" : "nested too deep";
}

}  // namespace

std::string Value::to_json() const {
  std::string text;
  if (const core::Written written = core::write_json(*this, text); written != core::Written::whole) {
    throw Exception(Errc::invalid_arg_value, std::string("The value has no JSON: ") + reason(written));
  }
  return text;
}

std::optional<Value> Value::from_json(std::string_view text) {
  core::Reading<Value> value = core::parse_json(text);
  if (!value) return std::nullopt;
  return std::move(*value);
}

std::ostream& operator<<(std::ostream& out, const Value& value) {
  if (value.is_bigint()) return out << value.as_bigint().to_string() << 'n';
  std::string text;
  const core::Written written = core::write_json(value, text);
  return written == core::Written::whole ? out << text : out << '[' << reason(written) << ']';
}

}  // namespace muster
