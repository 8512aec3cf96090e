// SPDX-License-Identifier: MIT
#include <muster/value.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <unordered_map>

#include <muster/error.h>

namespace muster {
namespace {

constexpr std::size_t searched_without_index = 8;
constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

const Value undefined;

constexpr const char* kind_names[] = {"undefined",         "null",           "a boolean", "a number", "a string", "a bigint",
                                      "an array",          "an object",      "a Date",    "a RegExp", "a Map",    "a Set",
                                      "a boxed primitive", "an ArrayBuffer", "a view",    "an Error"};

[[noreturn]] void wrong_kind(const Value& value, Value::Kind expected) {
  const auto name = [](Value::Kind kind) { return kind_names[static_cast<std::size_t>(kind)]; };
  throw Exception(Errc::invalid_arg_type, std::string("The value must be ") + name(expected) + ". It is " + name(value.kind()));
}

// Lets go of what may be the last reference. A peer can send a chain of a million objects, each in the
// next: beyond some depth they are put aside for the outermost call, and not destroyed one in the other.
class Release {
 public:
  static void now(std::shared_ptr<void> last) {
    if (!current_) {
      Release outermost;
      current_ = &outermost;
      last.reset();
      while (!outermost.postponed_.empty()) {
        const auto next = std::move(outermost.postponed_.back());
        outermost.postponed_.pop_back();
      }
      current_ = nullptr;
    } else if (current_->depth_ < max_depth) {
      ++current_->depth_;
      last.reset();
      --current_->depth_;
    } else {
      current_->postponed_.push_back(std::move(last));
    }
  }

 private:
  static constexpr int max_depth = 100;
  // A plain pointer: values may be destroyed when this thread's other variables are gone.
  static thread_local Release* current_;

  int depth_ = 0;
  std::vector<std::shared_ptr<void>> postponed_;
};

thread_local Release* Release::current_ = nullptr;

template <class V, class Visitor>
void visit_children(V& value, Visitor visit) {
  switch (value.kind()) {
    case Value::Kind::array:
      for (auto& element : value.as_array()) visit(element);
      break;
    case Value::Kind::object:
      for (const auto& [key, member] : value.as_object()) visit(const_cast<V&>(member));
      break;
    case Value::Kind::map:
      for (auto& [key, mapped] : value.as_map().entries) {
        visit(key);
        visit(mapped);
      }
      break;
    case Value::Kind::set:
      for (auto& element : value.as_set().values) visit(element);
      break;
    case Value::Kind::error:
      if (auto& cause = value.as_error().cause) visit(*cause);
      break;
    default: break;
  }
}

}  // namespace

Value::Ref::Ref(const Ref& other)
    : kind_(other.kind_), link_(other.is_weak() ? std::get<1>(other.link_).lock() : std::get<0>(other.link_)) {}
Value::Ref& Value::Ref::operator=(Ref other) noexcept {
  std::swap(kind_, other.kind_);
  link_.swap(other.link_);
  return *this;
}
Value::Ref::~Ref() {
  auto* strong = std::get_if<0>(&link_);
  if (strong && strong->use_count() == 1) Release::now(std::move(*strong));
}
void* Value::Ref::get() const {
  // What a weak one returns is alive as long as somebody else keeps it so.
  return is_weak() ? std::get<1>(link_).lock().get() : std::get<0>(link_).get();
}
Value::Ref Value::Ref::weak() const {
  Ref result(kind_, nullptr);
  result.link_ = is_weak() ? std::get<1>(link_) : std::weak_ptr<void>(std::get<0>(link_));
  return result;
}

// Not inline: g++ 12 takes the variant's members for uninitialised where it sees them copied and destroyed.
Value::Value(const Value& other) = default;
Value::Value(Value&& other) noexcept = default;
Value& Value::operator=(const Value& other) = default;
Value& Value::operator=(Value&& other) noexcept = default;
Value::~Value() = default;

template <class T>
Value Value::refer(Kind kind, T target) {
  return Value(Ref(kind, std::make_shared<T>(std::move(target))));
}

Value::Value(Array elements) : Value(refer(Kind::array, std::move(elements))) {}
Value::Value(Object members) : Value(refer(Kind::object, std::move(members))) {}
Value::Value(Date date) : Value(refer(Kind::date, date)) {}
Value::Value(RegExp regexp) : Value(refer(Kind::regexp, std::move(regexp))) {}
Value::Value(Map map) : Value(refer(Kind::map, std::move(map))) {}
Value::Value(Set set) : Value(refer(Kind::set, std::move(set))) {}
Value::Value(Boxed boxed) : Value(refer(Kind::boxed, std::move(boxed))) {}
Value::Value(ArrayBuffer buffer) : Value(refer(Kind::array_buffer, std::move(buffer))) {}
Value::Value(View view) : Value(refer(Kind::view, std::move(view))) {}
Value::Value(ErrorObject error) : Value(refer(Kind::error, std::move(error))) {}
Value::Value(std::initializer_list<Member> members) : Value(Object(members)) {}

Value Value::object() { return Value(Object()); }
Value Value::array(std::initializer_list<Value> elements) { return Value(Array(elements)); }

template <class T>
T* Value::target(Kind kind) const {
  const auto* ref = std::get_if<Ref>(&data_);
  return ref && ref->kind() == kind ? static_cast<T*>(ref->get()) : nullptr;
}

template <class T>
T& Value::target_or_throw(Kind kind) const {
  if (T* found = target<T>(kind)) return *found;
  wrong_kind(*this, kind);
}

const void* Value::identity() const {
  const auto* ref = std::get_if<Ref>(&data_);
  return ref ? ref->get() : nullptr;
}

Value::Kind Value::kind() const {
  constexpr Kind primitives[] = {Kind::undefined, Kind::undefined, Kind::null,  Kind::boolean,
                                 Kind::number,    Kind::string,    Kind::bigint};
  const auto* ref = std::get_if<Ref>(&data_);
  if (!ref) return primitives[data_.index()];
  return ref->get() ? ref->kind() : Kind::undefined;
}

bool Value::truthy() const {
  switch (kind()) {
    case Kind::undefined:
    case Kind::null: return false;
    case Kind::boolean: return as_bool();
    case Kind::number: return as_number() != 0 && !std::isnan(as_number());
    case Kind::string: return !as_string().empty();
    case Kind::bigint: return !as_bigint().is_zero();
    default: return true;
  }
}

bool Value::as_bool() const {
  if (const auto* b = std::get_if<bool>(&data_)) return *b;
  wrong_kind(*this, Kind::boolean);
}
double Value::as_number() const {
  if (const auto* n = std::get_if<double>(&data_)) return *n;
  wrong_kind(*this, Kind::number);
}
const std::string& Value::as_string() const {
  if (const auto* s = std::get_if<std::string>(&data_)) return *s;
  wrong_kind(*this, Kind::string);
}
const BigInt& Value::as_bigint() const {
  if (const auto* n = std::get_if<BigInt>(&data_)) return *n;
  wrong_kind(*this, Kind::bigint);
}
const Array& Value::as_array() const { return target_or_throw<Array>(Kind::array); }
Array& Value::as_array() { return target_or_throw<Array>(Kind::array); }
const Object& Value::as_object() const { return target_or_throw<Object>(Kind::object); }
Object& Value::as_object() { return target_or_throw<Object>(Kind::object); }
const Date& Value::as_date() const { return target_or_throw<Date>(Kind::date); }
Date& Value::as_date() { return target_or_throw<Date>(Kind::date); }
const RegExp& Value::as_regexp() const { return target_or_throw<RegExp>(Kind::regexp); }
RegExp& Value::as_regexp() { return target_or_throw<RegExp>(Kind::regexp); }
const Map& Value::as_map() const { return target_or_throw<Map>(Kind::map); }
Map& Value::as_map() { return target_or_throw<Map>(Kind::map); }
const Set& Value::as_set() const { return target_or_throw<Set>(Kind::set); }
Set& Value::as_set() { return target_or_throw<Set>(Kind::set); }
const Boxed& Value::as_boxed() const { return target_or_throw<Boxed>(Kind::boxed); }
Boxed& Value::as_boxed() { return target_or_throw<Boxed>(Kind::boxed); }
const ArrayBuffer& Value::as_array_buffer() const { return target_or_throw<ArrayBuffer>(Kind::array_buffer); }
ArrayBuffer& Value::as_array_buffer() { return target_or_throw<ArrayBuffer>(Kind::array_buffer); }
const View& Value::as_view() const { return target_or_throw<View>(Kind::view); }
View& Value::as_view() { return target_or_throw<View>(Kind::view); }
const ErrorObject& Value::as_error() const { return target_or_throw<ErrorObject>(Kind::error); }
ErrorObject& Value::as_error() { return target_or_throw<ErrorObject>(Kind::error); }

bool Value::bool_or(bool fallback) const {
  const auto* b = std::get_if<bool>(&data_);
  return b ? *b : fallback;
}
double Value::number_or(double fallback) const {
  const auto* n = std::get_if<double>(&data_);
  return n ? *n : fallback;
}
std::string_view Value::string_or(std::string_view fallback) const {
  const auto* s = std::get_if<std::string>(&data_);
  return s ? std::string_view(*s) : fallback;
}

const Value& Value::operator[](std::string_view key) const {
  const Object* object = target<Object>(Kind::object);
  const Value* found = object ? object->find(key) : nullptr;
  return found ? *found : undefined;
}
const Value& Value::operator[](std::size_t index) const {
  const Array* array = target<Array>(Kind::array);
  return array && index < array->size() ? (*array)[index] : undefined;
}
std::size_t Value::size() const {
  switch (kind()) {
    case Kind::array: return as_array().size();
    case Kind::object: return as_object().size();
    case Kind::map: return as_map().entries.size();
    case Kind::set: return as_set().values.size();
    default: return 0;
  }
}

void Value::set(std::string_view key, Value value) { as_object().set(key, std::move(value)); }

Value Value::weak() const {
  const auto* ref = std::get_if<Ref>(&data_);
  return ref ? Value(ref->weak()) : *this;
}

bool Value::is_weak() const {
  const auto* ref = std::get_if<Ref>(&data_);
  return ref && ref->is_weak();
}

bool Value::same(const Value& other) const {
  if (kind() != other.kind()) return false;
  if (kind() >= Kind::array) return identity() == other.identity();
  if (is_number() && std::isnan(as_number())) return std::isnan(other.as_number());
  return *this == other;
}

namespace {

// Copies one thing after the other, for what leads from one to the next may be a chain of any length.
class Cloner {
 public:
  static Value clone(const Value& root) {
    Cloner cloner;
    Value copy = cloner.counterpart(root);
    while (!cloner.unfinished_.empty()) {
      auto [original, its_copy] = std::move(cloner.unfinished_.back());
      cloner.unfinished_.pop_back();
      cloner.finish(original, its_copy);
    }
    for (const auto& [slot, target] : cloner.weak_) {
      const auto found = cloner.copies_.find(target);
      *slot = found == cloner.copies_.end() ? Value() : found->second.weak();
    }
    return copy;
  }

 private:
  // The copy of a thing, whose children may still be the original's.
  Value counterpart(const Value& original) {
    if (original.kind() < Value::Kind::array) return original;
    Value& copy = copies_[original.identity()];
    if (copy.is_undefined()) {
      copy = shallow(original);
      unfinished_.emplace_back(original, copy);
    }
    return copy;
  }

  static Value shallow(const Value& original) {
    switch (original.kind()) {
      case Value::Kind::array: return original.as_array();
      case Value::Kind::object: return original.as_object();
      case Value::Kind::date: return original.as_date();
      case Value::Kind::regexp: return original.as_regexp();
      case Value::Kind::map: return original.as_map();
      case Value::Kind::set: return original.as_set();
      case Value::Kind::boxed: return original.as_boxed();
      case Value::Kind::array_buffer: return original.as_array_buffer();
      case Value::Kind::view: return original.as_view();
      case Value::Kind::error: return original.as_error();
      default: return {};
    }
  }

  void finish(const Value& original, Value& copy) {
    std::vector<Value*> slots;
    visit_children(copy, [&slots](Value& slot) { slots.push_back(&slot); });
    std::size_t next = 0;
    visit_children(original, [&](const Value& child) {
      Value* slot = slots[next++];
      if (child.is_weak()) {
        weak_.emplace_back(slot, child.identity());
      } else {
        *slot = counterpart(child);
      }
    });
  }

  std::unordered_map<const void*, Value> copies_;
  std::vector<std::pair<Value, Value>> unfinished_;
  // Where a weak reference belongs, and what the original's names: outside the copied tree there is no copy.
  std::vector<std::pair<Value*, const void*>> weak_;
};

}  // namespace

Value Value::clone() const { return Cloner::clone(*this); }

namespace {

// Whether two values have the same contents, by the pairs of values that have to have the same. A pair that was met
// before is not met again, which is what ends a circle.
class Comparison {
 public:
  static bool equal(const Value& a, const Value& b) {
    Comparison comparison;
    if (!comparison.meet(a, b)) return false;
    while (!comparison.unfinished_.empty()) {
      const auto [left, right] = comparison.unfinished_.back();
      comparison.unfinished_.pop_back();
      if (!comparison.equal_contents(*left, *right)) return false;
    }
    return true;
  }

 private:
  bool meet(const Value& a, const Value& b) {
    const Value::Kind kind = a.kind();
    if (kind != b.kind()) return false;
    switch (kind) {
      case Value::Kind::undefined:
      case Value::Kind::null: return true;
      case Value::Kind::boolean: return a.as_bool() == b.as_bool();
      case Value::Kind::number: return a.as_number() == b.as_number();
      case Value::Kind::string: return a.as_string() == b.as_string();
      case Value::Kind::bigint: return a.as_bigint() == b.as_bigint();
      default: break;
    }
    const std::pair identities{a.identity(), b.identity()};
    if (identities.first != identities.second && met_.insert(identities).second) unfinished_.emplace_back(&a, &b);
    return true;
  }

  bool equal_contents(const Value& a, const Value& b) {
    switch (a.kind()) {
      case Value::Kind::object: return equal_members(a.as_object(), b.as_object());
      case Value::Kind::date: return a.as_date() == b.as_date();
      case Value::Kind::regexp: return a.as_regexp() == b.as_regexp();
      case Value::Kind::boxed: return a.as_boxed() == b.as_boxed();
      case Value::Kind::array_buffer: return a.as_array_buffer() == b.as_array_buffer();
      case Value::Kind::view: return a.as_view() == b.as_view();
      case Value::Kind::error: return equal_errors(a.as_error(), b.as_error());
      case Value::Kind::map: return a.size() == b.size() && equal_entries(a.as_map().entries, b.as_map().entries);
      case Value::Kind::set: return a.size() == b.size() && equal_elements(a.as_set().values, b.as_set().values);
      default: return a.size() == b.size() && equal_elements(a.as_array(), b.as_array());
    }
  }

  bool equal_members(const Object& a, const Object& b) {
    return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const Object::Member& member) {
             const Value* other = b.find(member.first);
             return other && meet(member.second, *other);
           });
  }
  bool equal_entries(const std::vector<std::pair<Value, Value>>& a, const std::vector<std::pair<Value, Value>>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), [this](const auto& left, const auto& right) {
      return meet(left.first, right.first) && meet(left.second, right.second);
    });
  }
  bool equal_elements(const std::vector<Value>& a, const std::vector<Value>& b) {
    return std::equal(a.begin(), a.end(), b.begin(),
                      [this](const Value& left, const Value& right) { return meet(left, right); });
  }
  bool equal_errors(const ErrorObject& a, const ErrorObject& b) {
    return a.type == b.type && a.message == b.message && a.stack == b.stack && a.cause.has_value() == b.cause.has_value() &&
           (!a.cause || meet(*a.cause, *b.cause));
  }

  std::set<std::pair<const void*, const void*>> met_;
  std::vector<std::pair<const Value*, const Value*>> unfinished_;
};

}  // namespace

bool operator==(const Value& a, const Value& b) { return Comparison::equal(a, b); }

namespace {

// A Map or Set makes 0 of -0.
Value as_key(Value value) {
  if (value.is_number() && value.as_number() == 0) value = 0;
  return value;
}

}  // namespace

const Value* Map::find(const Value& key) const {
  const auto found = std::find_if(entries.begin(), entries.end(), [&key](const auto& entry) { return entry.first.same(key); });
  return found == entries.end() ? nullptr : &found->second;
}

void Map::set(Value key, Value value) {
  if (const Value* existing = find(key)) {
    *const_cast<Value*>(existing) = std::move(value);
  } else {
    entries.emplace_back(as_key(std::move(key)), std::move(value));
  }
}

bool Set::has(const Value& value) const {
  return std::any_of(values.begin(), values.end(), [&value](const Value& other) { return other.same(value); });
}

void Set::add(Value value) {
  if (!has(value)) values.push_back(as_key(std::move(value)));
}

std::string_view ErrorObject::name() const {
  constexpr std::string_view names[] = {"Error",       "EvalError", "RangeError", "ReferenceError",
                                        "SyntaxError", "TypeError", "URIError"};
  return names[static_cast<std::size_t>(type)];
}

std::optional<std::uint32_t> array_index(std::string_view key) {
  if (key.empty() || key.size() > 10 || (key[0] == '0' && key.size() > 1)) return std::nullopt;
  std::uint64_t index = 0;
  for (const char c : key) {
    if (c < '0' || c > '9') return std::nullopt;
    index = index * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (index >= 0xffffffffULL) return std::nullopt;
  return static_cast<std::uint32_t>(index);
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
  std::vector<std::pair<std::uint32_t, const Member*>> indices;
  std::vector<const Member*> names;
  names.reserve(members_.size());
  for (const Member& member : members_) {
    if (const auto index = array_index(member.first)) {
      indices.emplace_back(*index, &member);
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
