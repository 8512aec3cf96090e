// SPDX-License-Identifier: MIT
#include "js.h"

#include <cstring>

namespace muster::js {

napi_value buffer(napi_env env, std::string_view bytes) {
  napi_value result = nullptr;
  napi_create_buffer_copy(env, bytes.size(), bytes.data(), nullptr, &result);
  return result;
}

napi_value array(napi_env env, const std::vector<napi_value>& elements) {
  napi_value result = nullptr;
  napi_create_array_with_length(env, elements.size(), &result);
  for (std::uint32_t i = 0; i < elements.size(); ++i) napi_set_element(env, result, i, elements[i]);
  return result;
}

napi_value object(napi_env env, std::initializer_list<std::pair<const char*, napi_value>> properties) {
  napi_value result = nullptr;
  napi_create_object(env, &result);
  for (const auto& [name, value] : properties) napi_set_named_property(env, result, name, value);
  return result;
}

napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type;
}

int to_int(napi_env env, napi_value value) {
  std::int32_t result = 0;
  napi_get_value_int32(env, value, &result);
  return result;
}

double to_double(napi_env env, napi_value value) {
  double result = 0;
  napi_get_value_double(env, value, &result);
  return result;
}

bool to_bool(napi_env env, napi_value value) {
  bool result = false;
  napi_get_value_bool(env, value, &result);
  return result;
}

std::string to_string(napi_env env, napi_value value) {
  std::size_t size = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok) return {};
  std::string text(size, '\0');
  napi_get_value_string_utf8(env, value, text.data(), size + 1, &size);
  return text;
}

std::string to_bytes(napi_env env, napi_value value) {
  bool is_buffer = false;
  napi_is_buffer(env, value, &is_buffer);
  if (!is_buffer) return to_string(env, value);
  void* data = nullptr;
  std::size_t size = 0;
  napi_get_buffer_info(env, value, &data, &size);
  return std::string(static_cast<const char*>(data), size);
}

std::vector<napi_value> elements(napi_env env, napi_value array) {
  std::vector<napi_value> result;
  bool is_array = false;
  napi_is_array(env, array, &is_array);
  std::uint32_t length = 0;
  if (is_array) napi_get_array_length(env, array, &length);
  for (std::uint32_t i = 0; i < length; ++i) napi_get_element(env, array, i, &result.emplace_back());
  return result;
}

std::vector<std::string> to_strings(napi_env env, napi_value value) {
  std::vector<std::string> result;
  for (napi_value element : elements(env, value)) result.push_back(to_string(env, element));
  return result;
}

napi_value get(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) return undefined(env);
  return value;
}

std::optional<int> get_int(napi_env env, napi_value object, const char* name) {
  const napi_value value = get(env, object, name);
  if (type_of(env, value) != napi_number) return std::nullopt;
  return to_int(env, value);
}

}  // namespace muster::js
