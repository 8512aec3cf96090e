// SPDX-License-Identifier: MIT
#pragma once

#include <node_api.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Values of JavaScript, by Node-API. What the JavaScript beside us passes is what it should be: a value of another kind reads
// as an empty one.
namespace muster::js {

inline napi_value undefined(napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}
inline napi_value null(napi_env env) {
  napi_value result = nullptr;
  napi_get_null(env, &result);
  return result;
}
inline napi_value boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}
inline napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}
// Bytes that are not UTF-8 become U+FFFD.
inline napi_value string(napi_env env, std::string_view text) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &result);
  return result;
}
napi_value buffer(napi_env env, std::string_view bytes);
napi_value array(napi_env env, const std::vector<napi_value>& elements);
napi_value object(napi_env env, std::initializer_list<std::pair<const char*, napi_value>> properties);

napi_valuetype type_of(napi_env env, napi_value value);
int to_int(napi_env env, napi_value value);
double to_double(napi_env env, napi_value value);
bool to_bool(napi_env env, napi_value value);
std::string to_string(napi_env env, napi_value value);
// Of a string or a Uint8Array.
std::string to_bytes(napi_env env, napi_value value);
std::vector<std::string> to_strings(napi_env env, napi_value value);
std::vector<napi_value> elements(napi_env env, napi_value array);
napi_value get(napi_env env, napi_value object, const char* name);
// Nothing for undefined and null.
std::optional<int> get_int(napi_env env, napi_value object, const char* name);

}  // namespace muster::js
