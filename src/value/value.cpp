#include <muster/value.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <muster/error.h>

namespace muster {
namespace {

constexpr std::size_t searched_without_index = 8;
constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

const Value undefined;

const char* kind_name(const Value& value) {
  static constexpr const char* names[] = {"undefined", "null", "a boolean", "a number", "a string", "an array", "an object"};
  return names[value.data().index()];
}

[[noreturn]] void wrong_kind(const Value& value, const char* expected) {
  throw Exception(Errc::invalid_arg_type, std::string("The value must be ") + expected + ". It is " + kind_name(value));
}

// An array index in JavaScript: "0", "1", ... "4294967294", with no leading zero.
bool is_array_index(std::string_view key, std::uint64_t& index) {
  if (key.empty() || key.size() > 10 || (key[0] == '0' && key.size() > 1)) return false;
  index = 0;
  for (char c : key) {
    if (c < '0' || c > '9') return false;
    index = index * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return index < 0xffffffffULL;
}

}  // namespace

// Not inline: g++ 12 takes the variant's members for uninitialised where it sees them copied and destroyed.
Value::Value(const Value& other) = default;
Value::Value(Value&& other) noexcept = default;
Value& Value::operator=(const Value& other) = default;
Value& Value::operator=(Value&& other) noexcept = default;
Value::~Value() = default;

Value::Value(Array elements) : data_(std::make_shared<Array>(std::move(elements))) {}
Value::Value(Object members) : data_(std::make_shared<Object>(std::move(members))) {}
Value::Value(std::initializer_list<Member> members) : data_(std::make_shared<Object>(members)) {}

Value Value::object() { return Value(Object()); }
Value Value::array(std::initializer_list<Value> elements) { return Value(Array(elements)); }

bool Value::truthy() const {
  if (const auto* b = std::get_if<bool>(&data_)) return *b;
  if (const auto* n = std::get_if<double>(&data_)) return *n != 0 && !std::isnan(*n);
  if (const auto* s = std::get_if<std::string>(&data_)) return !s->empty();
  return !is_nullish();
}

bool Value::as_bool() const {
  if (const auto* b = std::get_if<bool>(&data_)) return *b;
  wrong_kind(*this, "a boolean");
}
double Value::as_number() const {
  if (const auto* n = std::get_if<double>(&data_)) return *n;
  wrong_kind(*this, "a number");
}
const std::string& Value::as_string() const {
  if (const auto* s = std::get_if<std::string>(&data_)) return *s;
  wrong_kind(*this, "a string");
}
const Array& Value::as_array() const {
  if (const auto* a = std::get_if<std::shared_ptr<Array>>(&data_)) return **a;
  wrong_kind(*this, "an array");
}
Array& Value::as_array() { return const_cast<Array&>(std::as_const(*this).as_array()); }
const Object& Value::as_object() const {
  if (const auto* o = std::get_if<std::shared_ptr<Object>>(&data_)) return **o;
  wrong_kind(*this, "an object");
}
Object& Value::as_object() { return const_cast<Object&>(std::as_const(*this).as_object()); }

bool Value::bool_or(bool fallback) const { return is_bool() ? as_bool() : fallback; }
double Value::number_or(double fallback) const { return is_number() ? as_number() : fallback; }
std::string_view Value::string_or(std::string_view fallback) const {
  return is_string() ? std::string_view(as_string()) : fallback;
}

const Value& Value::operator[](std::string_view key) const {
  const auto* object = std::get_if<std::shared_ptr<Object>>(&data_);
  const Value* found = object ? (*object)->find(key) : nullptr;
  return found ? *found : undefined;
}
const Value& Value::operator[](std::size_t index) const {
  const auto* array = std::get_if<std::shared_ptr<Array>>(&data_);
  return array && index < (*array)->size() ? (**array)[index] : undefined;
}
std::size_t Value::size() const {
  if (is_array()) return as_array().size();
  return is_object() ? as_object().size() : 0;
}

void Value::set(std::string_view key, Value value) { as_object().set(key, std::move(value)); }

Value Value::clone() const {
  if (is_array()) {
    Array copy;
    copy.reserve(size());
    for (const Value& element : as_array()) copy.push_back(element.clone());
    return copy;
  }
  if (is_object()) {
    Object copy;
    for (const auto& [key, value] : as_object()) copy.set(key, value.clone());
    return copy;
  }
  return *this;
}

bool operator==(const Value& a, const Value& b) {
  if (a.data_.index() != b.data_.index()) return false;
  if (a.is_array()) return a.as_array() == b.as_array();
  if (a.is_object()) return a.as_object() == b.as_object();
  return a.data_ == b.data_;
}

Object::Object(std::initializer_list<Member> members) {
  for (const auto& [key, value] : members) set(key, value);
}

std::size_t Object::position(std::string_view key) const {
  if (index_.empty()) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (members_[i].first == key) return i;
    }
    return nowhere;
  }
  const std::size_t mask = index_.size() - 1;
  for (std::size_t slot = std::hash<std::string_view>()(key) & mask; index_[slot] != 0; slot = (slot + 1) & mask) {
    if (members_[index_[slot] - 1].first == key) return index_[slot] - 1;
  }
  return nowhere;
}

void Object::index_all(std::size_t slots) {
  index_.assign(slots, 0);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    std::size_t slot = std::hash<std::string_view>()(members_[i].first) & (slots - 1);
    while (index_[slot] != 0) slot = (slot + 1) & (slots - 1);
    index_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

const Value* Object::find(std::string_view key) const {
  const std::size_t at = position(key);
  return at == nowhere ? nullptr : &members_[at].second;
}
Value* Object::find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).find(key)); }

void Object::set(std::string_view key, Value value) {
  if (Value* existing = find(key)) {
    *existing = std::move(value);
    return;
  }
  members_.emplace_back(std::string(key), std::move(value));
  // An index that is there stays, and must know every member, however many were erased.
  if (index_.empty() && members_.size() <= searched_without_index) return;
  if (members_.size() * 2 > index_.size()) {
    index_all(std::max<std::size_t>(32, index_.size() * 2));
  } else {
    const std::size_t mask = index_.size() - 1;
    // Not `key`: it may be a view of a member that has just moved.
    std::size_t slot = std::hash<std::string_view>()(members_.back().first) & mask;
    while (index_[slot] != 0) slot = (slot + 1) & mask;
    index_[slot] = static_cast<std::uint32_t>(members_.size());
  }
}

bool Object::erase(std::string_view key) {
  const std::size_t at = position(key);
  if (at == nowhere) return false;
  members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(at));
  if (!index_.empty()) index_all(index_.size());
  return true;
}

std::vector<const Object::Member*> Object::ordered() const {
  std::vector<std::pair<std::uint64_t, const Member*>> indices;
  std::vector<const Member*> names;
  names.reserve(members_.size());
  for (const Member& member : members_) {
    std::uint64_t index = 0;
    if (is_array_index(member.first, index)) {
      indices.emplace_back(index, &member);
    } else {
      names.push_back(&member);
    }
  }
  if (indices.empty()) return names;
  std::sort(indices.begin(), indices.end());
  std::vector<const Member*> all;
  all.reserve(members_.size());
  for (const auto& [index, member] : indices) all.push_back(member);
  all.insert(all.end(), names.begin(), names.end());
  return all;
}

bool operator==(const Object& a, const Object& b) {
  if (a.size() != b.size()) return false;
  return std::all_of(a.begin(), a.end(), [&b](const Object::Member& member) {
    const Value* other = b.find(member.first);
    return other && *other == member.second;
  });
}

}  // namespace muster
