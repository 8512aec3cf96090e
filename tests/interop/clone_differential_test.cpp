// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "core/clone.h"
#include "core/frame.h"
#include "core/json.h"
#include "core/utf8.h"
#include "support/node.h"
#include "support/run.h"

// Node is the oracle: what comes back over a real channel must be what was sent.
namespace muster::core {
namespace {

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    text.push_back(digits[static_cast<unsigned char>(c) & 0xf]);
  }
  return text;
}

std::string written(const Value& value) {
  std::string out;
  EXPECT_EQ(write_clone(value, out), Written::whole);
  return out;
}

// A Node process at the other end of a channel in `advanced` serialization.
class NodeChannel {
 public:
  NodeChannel(int version, const std::string& script)
      : program_(test::node_program(version)), file_(folder_.write("peer.js", script)) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
    socket_ = ends[0];
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      setenv("NODE_CHANNEL_FD", std::to_string(ends[1]).c_str(), 1);
      setenv("NODE_CHANNEL_SERIALIZATION_MODE", "advanced", 1);
      execl(program_.c_str(), "node", file_.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
  }
  ~NodeChannel() {
    close(socket_);
    int status = 0;
    waitpid(pid_, &status, 0);
    EXPECT_EQ(status, 0);
  }

  void send(const std::string& payload) {
    std::string bytes = begin_frame(Serialization::advanced) + payload;
    end_frame(Serialization::advanced, bytes);
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t n = ::send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      ASSERT_GT(n, 0) << "node is gone";
      at += static_cast<std::size_t>(n);
    }
  }

  // Empty at the end.
  std::string receive() {
    std::string length = read(4);
    if (length.size() < 4) return {};
    std::size_t size = 0;
    for (const char c : length) size = (size << 8) | static_cast<unsigned char>(c);
    return read(size);
  }

 private:
  std::string read(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t at = 0;
    while (at < size) {
      const ssize_t n = recv(socket_, bytes.data() + at, size - at, 0);
      if (n <= 0) return {};
      at += static_cast<std::size_t>(n);
    }
    return bytes;
  }

  test::TemporaryFolder folder_;
  std::string program_;
  std::string file_;
  int socket_ = -1;
  pid_t pid_ = -1;
};

// Says its version, then sends back each [value] with what JSON.stringify makes of it.
constexpr const char* echo = R"js(
  process.on("message", ([value]) => {
    let json;
    try { json = JSON.stringify(value) ?? "null"; } catch (e) { json = e.name; }
    process.send([value, json]);
  });
  process.send(parseInt(process.versions.node));
)js";

// --- our values there and back ---

// Values that a version of Node reads.
class Generator {
 public:
  explicit Generator(int node_version, unsigned seed = 20202020) : node_version_(node_version), random_(seed) {}

  Value value(int depth) {
    Value made = any(depth);
    // What is whole may be met again; so may what we are inside of, but that only weakly.
    if (made.identity() && !made.is_weak() && pool_.size() < 20) pool_.push_back(made);
    return made;
  }

  // Forgets what may be met again, which belongs to one message.
  void begin() { pool_.clear(); }

  std::vector<Value> one_of_each_kind() {
    std::vector<Value> all = {Undefined(),
                              nullptr,
                              true,
                              false,
                              Value::object(),
                              Value::array(),
                              Map(),
                              Set(),
                              Date(0),
                              Date(std::nan("")),
                              Date(-8.64e15),
                              Date(8.64e15),
                              Date(-62198755200000),
                              Date(253402300800000)};
    for (const double n : numbers()) all.emplace_back(n);
    for (const char* s : strings()) all.emplace_back(s);
    for (int i = 0; i < 12; ++i) all.push_back(bigint());
    for (int i = 0; i < 16; ++i) all.push_back(regexp());
    for (int i = 0; i < 40; ++i) all.push_back(view());
    for (int i = 0; i < 8; ++i) all.push_back(boxed());
    for (int i = 0; i < 4; ++i) all.push_back(buffer());
    for (int i = 0; i < 20; ++i) all.push_back(error(0));
    all.push_back(Value::array({Hole(), 1, Hole()}));
    all.push_back(Value{{"b", 1}, {"10", 2}, {"9", 3}, {"", 4}, {"4294967294", 5}, {"4294967295", 6}, {"__proto__", 7}});
    return all;
  }

 private:
  static std::vector<double> numbers() {
    return {0,
            -0.0,
            1,
            -1,
            63,
            64,
            -64,
            -65,
            8191,
            8192,
            2147483647,
            -2147483648.0,
            2147483648.0,
            -2147483649.0,
            4294967295.0,
            4294967296.0,
            1.5,
            0.1,
            1e21,
            5e-324,
            1.7976931348623157e308,
            9007199254740993.0,
            std::nan(""),
            std::numeric_limits<double>::infinity(),
            -std::numeric_limits<double>::infinity()};
  }
  static std::vector<const char*> strings() {
    return {"",
            "a",
            "ab",
            "é",
            "aé",
            "ÿ",
            "Ā",
            "€",
            "a€",
            "ab€",
            "😀",
            "\xed\xa0\xbd",
            "\xed\xb8\x80",
            "\xed\xb8\x80\xed\xa0\xbd",
            "a\xed\xa0\xbd"
            "b",
            "\x7f",
            "\xef\xbb\xbf",
            "\xef\xbf\xbf",
            "\n\"\\",
            "__proto__",
            "constructor",
            "0",
            "01",
            "-1",
            "1.5",
            "4294967295",
            "a longer text of more than one hundred and twenty-seven characters, so that its length takes two bytes to be "
            "written down, as it should",
            "and the same with one that needs two bytes for each: €€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€"};
  }

  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

  Value any(int depth) {
    switch (below(depth > 0 ? 26 : 16)) {
      case 0: return Undefined();
      case 1: return nullptr;
      case 2: return below(2) == 0;
      case 3:
      case 4: return number();
      case 5:
      case 6: return text();
      case 7: return bigint();
      case 8: return Date(std::trunc((static_cast<double>(random_()) / 1.8e19 - 0.5) * 1.8e16));
      case 9: return regexp();
      case 10: return boxed();
      case 11: return buffer();
      case 12:
      case 13: return view();
      case 14: return pool_.empty() ? Value() : pool_[below(static_cast<unsigned>(pool_.size()))];
      case 15: return enclosing_.empty() ? Value() : enclosing_[below(static_cast<unsigned>(enclosing_.size()))]->weak();
      case 16: return error(depth);
      case 17:
      case 18:
      case 19: return array(depth);
      case 20: return map(depth);
      case 21: return set(depth);
      default: return object(depth);
    }
  }

  Value number() {
    if (below(3) == 0) return numbers()[below(static_cast<unsigned>(numbers().size()))];
    if (below(2) == 0) return static_cast<double>(static_cast<std::int64_t>(random_()) >> below(64));
    const std::uint64_t bits = random_();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  }

  std::string text() {
    if (below(3) == 0) return strings()[below(static_cast<unsigned>(strings().size()))];
    std::string result;
    for (unsigned n = below(8), range = below(4); n > 0; --n) {
      constexpr std::uint32_t ranges[] = {0x80, 0x100, 0x10000, 0x110000};
      append_utf8(result, below(ranges[range]));
    }
    // Halves that came to stand next to each other are a pair.
    std::string utf16, regular;
    for (std::string_view rest = result; !rest.empty();) {
      const std::uint32_t code = take_code_point(rest);
      const auto unit = [&utf16](std::uint32_t u) { utf16 += {static_cast<char>(u), static_cast<char>(u >> 8)}; };
      if (code >= 0x10000) unit(0xd800 + ((code - 0x10000) >> 10));
      unit(code >= 0x10000 ? 0xdc00 + (code & 0x3ff) : code);
    }
    append_utf16le(regular, utf16);
    return regular;
  }

  Value bigint() {
    std::vector<std::uint64_t> limbs;
    for (unsigned n = below(5); n > 0; --n) limbs.push_back(random_() >> below(64));
    return BigInt(below(2) == 0, limbs);
  }

  Value regexp() {
    constexpr const char* sources[] = {"a", "(?:)", "[€]+", "\\d\\/", "^é$"};
    constexpr const char* flags[] = {"", "g", "gi", "dgimsuy", "y", "s", "m", "v"};
    return RegExp{sources[below(5)], flags[below(node_version_ >= 20 ? 8 : 7)]};
  }

  Value boxed() {
    switch (below(4)) {
      case 0: return Boxed{below(2) == 0};
      case 1: return Boxed{number().as_number()};
      case 2: return Boxed{text()};
      default: return Boxed{bigint().as_bigint()};
    }
  }

  std::string bytes(std::size_t size) {
    std::string result;
    while (result.size() < size) result.push_back(static_cast<char>(random_()));
    return result;
  }

  Value buffer() {
    ArrayBuffer result{bytes(below(20))};
    if (node_version_ >= 20 && below(2) == 0) result.max_size = result.bytes.size() + below(20);
    return result;
  }

  Value view() {
    View result{static_cast<View::Type>(below(node_version_ >= 24 ? 14 : 13)), {}};
    result.bytes = bytes(result.element_size() * below(5));
    return result;
  }

  Value error(int depth) {
    ErrorObject result{static_cast<ErrorObject::Type>(below(7))};
    if (below(3) != 0) result.message = text();
    // Where there is none, some versions of Node make one.
    result.stack = text();
    // No Node before 22 reads an error that its cause leads back to, so causes lead nowhere.
    if (below(2) == 0) {
      const auto enclosing = std::exchange(enclosing_, {});
      const auto pool = std::exchange(pool_, {});
      result.cause = value(depth - 1);
      enclosing_ = enclosing;
      pool_ = pool;
    }
    return result;
  }

  template <class Fill>
  Value filled(Value container, Fill fill) {
    enclosing_.push_back(&container);
    for (unsigned n = below(6); n > 0; --n) fill(container);
    enclosing_.pop_back();
    return container;
  }
  Value array(int depth) {
    return filled(Value::array(), [&](Value& all) {
      Value element = below(12) == 0 ? Value(Hole()) : value(depth - 1);
      all.as_array().push_back(std::move(element));
    });
  }
  Value object(int depth) {
    return filled(Value::object(), [&](Value& all) {
      const std::string key = below(2) == 0 ? text() : std::to_string(below(12));
      all.set(key, value(depth - 1));
    });
  }
  Value map(int depth) {
    return filled(Map(), [&](Value& all) {
      Value key = value(depth - 1);
      all.as_map().set(std::move(key), value(depth - 1));
    });
  }
  Value set(int depth) {
    return filled(Set(), [&](Value& all) { all.as_set().add(value(depth - 1)); });
  }

  int node_version_;
  std::mt19937_64 random_;
  std::vector<Value> pool_;
  std::vector<Value*> enclosing_;
};

std::string our_json(const Value& value) {
  std::string out;
  switch (write_json(value, out)) {
    case Written::whole: return out;
    case Written::has_bigint:
    case Written::too_deep: return "TypeError";  // JavaScript's, of a bigint and of a circle
    case Written::too_long: break;
  }
  return "RangeError";
}

class CloneAndNode : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    const auto hello = parse_clone(node_.receive());
    ASSERT_TRUE(hello);
    version_ = static_cast<int>(hello->as_number());
  }

  void there_and_back(const Value& value) {
    Value message = Value::array();
    message.as_array().push_back(value);
    const std::string sent = written(message);
    node_.send(sent);
    if (HasFatalFailure()) return;
    const std::string answer = node_.receive();
    const auto received = parse_clone(answer);
    ASSERT_TRUE(received) << hex(answer) << " for " << hex(sent);
    Value back = Value::array();
    back.as_array().push_back((*received)[0]);
    // Read and written again, for Node writes what has holes and errors with a cause in other words, and both make
    // of a Map's key -0 a 0 and of a date that is none an invalid one.
    EXPECT_EQ(hex(written(back)), hex(written(*parse_clone(sent)))) << hex(answer);
    EXPECT_EQ((*received)[1], Value(our_json(value))) << hex(sent);
  }

  NodeChannel node_{GetParam(), echo};
  int version_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Node, CloneAndNode, testing::ValuesIn(test::node_versions),
                         [](const auto& info) { return test::node_name(info.param); });

class CloneAndNodes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Node, CloneAndNodes, testing::ValuesIn(test::node_versions),
                         [](const auto& info) { return test::node_name(info.param); });

TEST_P(CloneAndNode, AgreeOnEveryKindOfValueEverywhere) {
  int count = 0;
  for (const Value& value : Generator(version_).one_of_each_kind()) {
    ErrorObject error{ErrorObject::Type::range_error, "m", "s", value};
    for (const Value& message :
         {value, Value::array({value, 1}), Value{{"key", value}}, Value::array({value, value, "after"}),
          Value(Map{{{value, 1}}}), Value(Map{{{1, value}, {2, "after"}}}), Value(Set{{value}}), Value(std::move(error))}) {
      there_and_back(message);
      if (HasFatalFailure()) return;
      ++count;
    }
  }
  EXPECT_GE(count, 300);
}

TEST_P(CloneAndNode, AgreeOnRandomValues) {
  Generator generator(version_);
  for (int i = 0; i < 5000 && !HasFailure(); ++i) {
    generator.begin();
    there_and_back(generator.value(4));
  }
}

// --- Node's values there and back ---

// Makes random values, sends each, and compares what comes back with it. Says what differed, and "done".
constexpr const char* sender = R"js(
  const assert = require("assert");
  let state = 20202020;
  const below = (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
  const pick = (...all) => all[below(all.length)];
  const text = () => pick("", "a", "abc", "é", "€", "a€", "😀", "\ud83d", "\ude00\ud83d", "x".repeat(130), "€".repeat(65), "1", "01",
                          String.fromCharCode(below(65536), below(65536), below(256)));
  const number = () => pick(0, -0, 1, -1, 63, -65, 8192, 2 ** 31, -(2 ** 31), 1.5, NaN, Infinity, 1e300, below(4294967296), below(256) / 7);
  const bigint = () => pick(0n, 1n, -1n, 2n ** 64n, -(2n ** 64n), BigInt(below(4294967296)) ** BigInt(below(9)));
  const views = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array,
                 Float64Array, BigInt64Array, BigUint64Array];
  if (globalThis.Float16Array) views.push(Float16Array);
  const errors = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];
  const bytes = (n) => Uint8Array.from({ length: n }, () => below(256));
  const whole = [], around = [];
  const into = (container, fill) => {
    around.push(container);
    for (let n = below(6); n > 0; n--) fill(container);
    around.pop();
    return container;
  };
  const any = (depth) => {
    switch (below(depth > 0 ? 28 : 17)) {
      case 0: return undefined;
      case 1: return null;
      case 2: return pick(true, false);
      case 3: case 4: return number();
      case 5: case 6: return text();
      case 7: return bigint();
      case 8: return new Date(pick(0, 1e12 + below(1e9), -1e13, 8.64e15));
      case 9: return pick(/a/, /é€/gu, /x/dimsy, new RegExp(""));
      case 10: return Object(pick(true, false, number(), text(), bigint()));
      case 11: return bytes(below(20)).buffer;
      case 12: { const type = pick(...views); return new type(bytes(type.BYTES_PER_ELEMENT * below(5)).buffer); }
      case 13: return Buffer.from(bytes(below(300)));
      case 14: return pick(new DataView(bytes(9).buffer, below(9)), bytes(9).subarray(2, 5));
      case 15: return whole.length ? pick(...whole) : 1;
      case 16: return around.length ? pick(...around) : 1;
      case 17: {
        const type = pick(...errors), enclosing = around.splice(0), others = whole.splice(0);
        const e = new type(text(), below(2) ? { cause: value(depth - 1) } : undefined);
        around.push(...enclosing);
        whole.splice(0, whole.length, ...others);
        return e;
      }
      case 18: return into([], (a) => a.push(value(depth - 1)));
      case 19: return into(new Array(below(20)), (a) => { a[below(20)] = value(depth - 1); });
      case 20: { const a = into([], (a) => a.push(value(depth - 1))); delete a[0]; return a; }
      case 21: return into([], (a) => a.push(pick(1.5, 2, -0)));
      case 22: return into(new Map(), (m) => m.set(value(depth - 1), value(depth - 1)));
      case 23: return into(new Set(), (s) => s.add(value(depth - 1)));
      default: return into({}, (o) => {
        const key = pick(text(), String(below(12)), "4294967294", "4294967295", "__proto__");
        Object.defineProperty(o, key, { value: value(depth - 1), enumerable: true, configurable: true, writable: true });
      });
    }
  };
  const value = (depth) => {
    const made = any(depth);
    if (made !== null && typeof made === "object" && whole.length < 20) whole.push(made);
    return made;
  };
  // The other way to look at it: what deepStrictEqual does not compare.
  const shape = (v) => Object.prototype.toString.call(v) + (Buffer.isBuffer(v) ? "B" : "") + (Array.isArray(v) ? Object.keys(v) : "") +
                       (v instanceof Error ? v.stack + v.name + ("cause" in v) + shape(v.cause) : "");
  let left = 5000, sent;
  const next = () => {
    if (left-- === 0) { process.send("done"); return process.disconnect(); }
    whole.length = 0;
    sent = [value(4)];
    process.send(sent);
  };
  process.on("message", (back) => {
    try {
      assert.deepStrictEqual(back, sent);
      assert.strictEqual(shape(back[0]), shape(sent[0]));
    } catch (e) {
      process.send(e.message);
    }
    next();
  });
  next();
)js";

TEST_P(CloneAndNodes, AgreeOnRandomValuesOfNode) {
  NodeChannel node(GetParam(), sender);
  int count = 0;
  for (;; ++count) {
    const std::string frame = node.receive();
    const auto value = parse_clone(frame);
    ASSERT_TRUE(value) << hex(frame);
    if (*value == Value("done")) break;
    ASSERT_TRUE(value->is_array()) << value->string_or("");
    node.send(written(*value));
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_EQ(count, 5000);
}

// --- what each accepts ---

// Reads frames as lines of hexadecimal digits as Node's channel does, and answers each with a line: "-" for what it
// does not accept, otherwise "+" and the digits of what it writes.
constexpr const char* judge = R"js(
  const v8 = require("v8");
  class Serializer extends v8.DefaultSerializer {
    _writeHostObject(object) {
      this.writeUint32(0);
      return super._writeHostObject(object);
    }
  }
  class Deserializer extends v8.DefaultDeserializer {
    _readHostObject() {
      const tag = this.readUint32();
      if (tag === 0) return super._readHostObject();
      if (tag !== 1) throw new Error("no such host object");
      return this.readValue();
    }
  }
  const out = [];
  for (const line of require("fs").readFileSync(0, "latin1").split("\n").slice(0, -1)) {
    try {
      const reader = new Deserializer(Buffer.from(line, "hex"));
      reader.readHeader();
      if (reader.getWireFormatVersion() < 13) throw new Error("old");
      const value = reader.readValue();
      const writer = new Serializer();
      writer.writeHeader();
      writer.writeValue(value);
      out.push("+" + writer.releaseBuffer().toString("hex"));
    } catch {
      out.push("-");
    }
  }
  process.stdout.write(out.join("\n") + "\n");
)js";

std::string bytes_of(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return out;
}

std::vector<std::string> judged(int version, const std::vector<std::string>& frames) {
  const test::TemporaryFolder folder;
  std::string input;
  for (const std::string& frame : frames) input += hex(frame) + "\n";
  const std::string program = folder.write("judge.js", judge), data = folder.write("frames", input);
  std::istringstream lines(
      test::run_program({"sh", "-c", test::node_program(version) + " '" + program + "' < '" + data + "'"}).output);
  std::vector<std::string> answers;
  for (std::string line; std::getline(lines, line);) answers.push_back(line);
  return answers;
}

TEST_P(CloneAndNodes, AgreeOnWhatIsMalformed) {
  Generator generator(18, 7);
  std::mt19937 random(7);
  std::vector<std::string> frames;
  // What means something in a frame.
  const std::string_view tags = "o{A$a@;:',^\\_0TFIUNZ\"cSDyxnzsBVr.ms?-\x01\x02\x03";
  while (frames.size() < 3000) {
    generator.begin();
    std::string frame = written(generator.value(3));
    for (unsigned n = random() % 3; n > 0; --n) {
      frame[2 + random() % (frame.size() - 2)] = static_cast<char>(random() % 3 ? tags[random() % tags.size()] : random());
    }
    // Node compiles a regular expression, and refuses what does not; we do not look into it. And not every Node knows
    // a Float16Array.
    if (frame.find('R') != std::string::npos || frame.find({"\\\0\r", 3}) != std::string::npos) continue;
    frames.push_back(std::move(frame));
  }

  const auto answers = judged(GetParam(), frames);

  ASSERT_EQ(answers.size(), frames.size()) << "node failed";
  int accepted = 0, refused = 0;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto ours = parse_clone(frames[i]);
    const auto theirs = answers[i] == "-" ? std::nullopt : parse_clone(bytes_of(std::string_view(answers[i]).substr(1)));
    ++(theirs ? accepted : refused);
    EXPECT_EQ(ours.has_value(), theirs.has_value()) << hex(frames[i]) << "\n" << answers[i];
    if (ours && theirs) {
      EXPECT_EQ(hex(written(*ours)), hex(written(*theirs))) << hex(frames[i]) << "\n" << answers[i];
    }
  }
  EXPECT_GE(accepted, 500);
  EXPECT_GE(refused, 500);
}

}  // namespace
}  // namespace muster::core
