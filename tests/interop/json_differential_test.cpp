// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/utf8.h"
#include "support/node.h"

// Node is the oracle: what JSON.parse accepts, and what JSON.stringify makes of it.
namespace muster::core {
namespace {

// Reads vectors as lines of hexadecimal digits and answers each with a line: "-" for what it does not
// accept, otherwise "+" and the digits of what it writes.
constexpr const char* oracle = R"js(
  const out = [];
  for (const line of require("fs").readFileSync(0, "latin1").split("\n").slice(0, -1)) {
    try {
      out.push("+" + Buffer.from(JSON.stringify(JSON.parse(Buffer.from(line, "hex").toString()))).toString("hex"));
    } catch {
      out.push("-");
    }
  }
  process.stdout.write(out.join("\n") + "\n");
)js";

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text.push_back(digits[static_cast<unsigned char>(c) >> 4]);
    text.push_back(digits[static_cast<unsigned char>(c) & 0xf]);
  }
  return text;
}

std::vector<std::string> answers_of(int version, const std::vector<std::string>& texts) {
  const std::string stem = testing::TempDir() + "json_differential_" + std::to_string(getpid());
  const std::string program = stem + ".js", input = stem + ".in";
  std::ofstream(program) << oracle;
  {
    std::ofstream lines(input);
    for (const std::string& text : texts) lines << hex(text) << '\n';
  }
  std::vector<std::string> answers;
  std::string output;
  if (FILE* node = popen(("'" + test::node_program(version) + "' '" + program + "' < '" + input + "'").c_str(), "r")) {
    char buffer[65536];
    for (std::size_t n = 0; (n = fread(buffer, 1, sizeof buffer, node)) > 0;) output.append(buffer, n);
    EXPECT_EQ(pclose(node), 0);
  }
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) answers.push_back(line);
  std::remove(program.c_str());
  std::remove(input.c_str());
  return answers;
}

std::string our_answer(const std::string& text) {
  const auto value = parse_json(text);
  std::string out;
  return value && write_json(*value, out) == Written::whole ? "+" + hex(out) : "-";
}

class JsonAndNode : public testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Json, JsonAndNode, testing::ValuesIn(test::node_versions),
                         [](const auto& info) { return test::node_name(info.param); });

void compare_with_node(int version, const std::vector<std::string>& texts) {
  const auto expected = answers_of(version, texts);
  ASSERT_EQ(expected.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(our_answer(texts[i]), expected[i]) << texts[i];
}

std::string nested(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']');
}

// Values and what is nearly one; each is tried alone and inside others.
std::vector<std::string> fragments() {
  std::vector<std::string> all = {
      // literals
      "null", "true", "false", "undefined", "nul", "nulll", "True", "NULL", "tru", "t", "f", "n", "NaN", "Infinity",
      "-Infinity", "this",
      // numbers
      "0", "-0", "-", "+", "+1", "--1", "1", "-1", "00", "01", "-01", "1.", ".1", "-.1", "1.0", "1.50", "0.0", "-0.0", "1e",
      "1e+", "1e-", "1E5", "1e5", "1e+5", "1e-5", "1.e5", "1.5e5", "1.5E-5", "1e05", "1e00", "0e0", "0e5", "-0e-5", "0x10",
      "0b1", "0o7", "1_000", "1,000", "1n", "1f", "1e400", "-1e400", "1e-400", "-1e-400", "1e308", "1e309",
      "1.7976931348623157e308", "1.7976931348623159e308", "5e-324", "2e-324", "3e-324", "2.2250738585072011e-308",
      "2.2250738585072014e-308", "1e21", "1e20", "999999999999999999999", "1000000000000000000000", "123456789012345680000",
      "1e-6", "1e-7", "0.000001", "0.0000001", "0.00000012345", "123456789.123456789", "0.1", "0.2", "0.30000000000000004",
      "0.3", "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993", "9223372036854775807",
      "9223372036854775808", "-9223372036854775808", "18446744073709551615", "18446744073709551616", "100000000000000",
      "1000000000000000", "999999999999999", "9999999999999999", "12345678901234567", "4294967295", "4294967296", "2147483648",
      "1e15", "1e16", "1.5e15", "1e99999999999999999999", "1e-99999999999999999999", "0e99999999999999999999", "4.35", "2.675",
      "1.005", "8.41", "5e-7", "1.1e-7", "6.02214076e23", "1e22", "1e23", "3.4028234663852886e+38", "1.401298464324817e-45",
      "0.1e1", "10e-1", "1000e-3", "0.00001e5", "72057594037927945", "1\xd9\xa1",
      // strings
      "\"\"", "\"a\"", "\"", "\"a", "a\"", "'a'", "`a`", "\"\\\"", "\"\\\"\"", "\"\\\\\"", "\"\\/\"", "\"\\b\\f\\n\\r\\t\"",
      "\"\\v\"", "\"\\0\"", "\"\\x41\"", "\"\\'\"", "\"\\a\"", "\"\\u\"", "\"\\u0\"", "\"\\u004\"", "\"\\u0041\"",
      "\"\\U0041\"", "\"\\u{41}\"", "\"\\u00e9\"", "\"\\u00E9\"", "\"\\u00g9\"", "\"\\u-041\"", "\"\\u 041\"", "\"\\u0000\"",
      "\"\\u001f\"", "\"\\u007f\"", "\"\\u2028\\u2029\"", "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"", "\"\\ud83d\"",
      "\"\\ude00\"", "\"\\ude00\\ud83d\"", "\"\\ud83d\\ud83d\\ude00\"", "\"\\ud83dx\"", "\"\\ud83d\\n\"", "\"\\ud83d\\u0041\"",
      "\"\\ud83d\\u\"", "\"\\ud83d\\u12\"", "\"\\ud83d\\\"", "\"\\ud83d\\\\u de00\"", "\"\\udbff\\udfff\"",
      "\"\\ud800\\udc00\"", "\"\\ud7ff\\ue000\"", "\"\\uffff\\ufffe\\ufeff\"", "\"\xc3\xa9\"", "\"\xe2\x82\xac\"",
      "\"\xf0\x9f\x98\x80\"", "\"\xe2\x80\xa8\xe2\x80\xa9\"", "\"\xef\xbb\xbf\"", "\"\x7f\"", "\"\xc2\x80\"",
      "\"\\ud83d\xf0\x9f\x98\x80\"",
      // bytes that are not UTF-8
      "\"\x80\"", "\"\xff\"", "\"\xc3\"", "\"\xc3\xc3\xa9\"", "\"\xc0\x80\"", "\"\xe0\x80\x80\"", "\"\xe2\x82\"",
      "\"\xe2\x82x\"", "\"\xed\xa0\x80\"", "\"\xed\xa0\xbd\xed\xb8\x80\"", "\"\xf0\x9f\x98\"", "\"\xf0\x9f\"", "\"\xf0\"",
      "\"\xf0\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\"", "\"\xfe\xff\"",
      "\"a\xff"
      "b\xfe"
      "c\"",
      "\xff", "\xc3\xa9", "\xef\xbb\xbf",
      // arrays
      "[]", "[ ]", "[1]", "[1,2]", "[1,]", "[,]", "[,1]", "[1,,2]", "[1 2]", "[1", "1]", "[", "]", "[[]]", "[[],[]]", "[1;2]",
      "[1:2]", "(1)",
      // objects
      "{}", "{ }", "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"a\":1,}", "{,}", "{\"a\"}", "{\"a\":}", "{:1}", "{a:1}", "{'a':1}",
      "{1:1}", "{\"a\" 1}", "{\"a\"=1}", "{\"a\":1;\"b\":2}", "{\"a\":1 \"b\":2}", "{\"a\"::1}", "{", "}", "{\"a\":1",
      "{\"a\":", "{\"a", "{\"\":0}", "{null:1}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"__proto__\":{\"x\":1}}",
      "{\"__proto__\":1,\"__proto__\":2}", "{\"constructor\":1}", "{\"toString\":1,\"hasOwnProperty\":2}", "{\"length\":1}",
      "{\"2\":1,\"1\":2}", "{\"b\":1,\"10\":2,\"9\":3,\"a\":4,\"-1\":5,\"01\":6}",
      "{\"4294967294\":1,\"4294967295\":2,\"4294967296\":3,\"0\":4}", "{\"1.5\":1,\"1\":2,\"1e1\":3}",
      "{\"x\":1,\"0\":2,\"x\":3,\"0\":4}", "{\"9007199254740993\":1,\"5\":2}", "{\"\\u0031\":1,\"0\":2}", "{\"\\ud83d\":1}",
      "{\"\\ud83d\":1,\"\\ud83d\":2}", "{\"\xff\":1}", "{\"\xff\":1,\"\xef\xbf\xbd\":2}", "{\"a\":{\"b\":[{\"c\":null}]}}",
      "{\"toJSON\":1}",
      // spaces and what is none
      " 1", "1 ", "\t1\n", "\r\n1\r\n", "\v1", "\f1", "1\v",
      "\xc2\xa0"
      "1",
      "\xe2\x80\xa8"
      "1",
      "\xe3\x80\x80"
      "1",
      "[\t1 ,\n2\r]", "{ \"a\" : 1 , \"b\" : 2 }", "- 1", "1 .5", "tr ue", "/*c*/1", "1//c", "#1", "1 2", "1,2", "1;", "", " ",
      "\n", std::string("\0", 1), std::string("1\0", 2), std::string("\"a\0b\"", 5), "<!--1", "nullnull", "\"a\"\"b\"", "[][]",
      "{}{}"};
  for (char c = 1; c < 0x20; ++c) all.push_back(std::string("\"") + c + "\"");
  for (const char c : std::string("!\"#$%&'()*+,-./0:;<=>?@AZ[\\]^_`abfnrtuvxz{|}~"))
    all.push_back(std::string("\"\\") + c + "\"");
  for (const int levels : {2, 100, 1000}) all.push_back(nested(levels));
  return all;
}

TEST_P(JsonAndNode, AgreeOnWhatIsJsonAndOnWhatItMeans) {
  std::vector<std::string> texts;
  for (const std::string& fragment : fragments()) {
    texts.push_back(fragment);
    if (fragment == nested(max_depth)) continue;  // as deep as we go
    texts.push_back("[" + fragment + "]");
    texts.push_back("{\"k\":" + fragment + "}");
    texts.push_back("{" + fragment + ":1}");
    texts.push_back("\"" + fragment + "\"");
  }
  ASSERT_GE(texts.size(), 300U);

  compare_with_node(GetParam(), texts);
}

class Generator {
 public:
  std::string value(int depth) {
    switch (random_() % (depth > 0 ? 8 : 6)) {
      case 0: return random_() % 2 ? "null" : (random_() % 2 ? "true" : "false");
      case 1:
      case 2:
      case 3: return number();
      case 4:
      case 5: return string();
      case 6: return list('[', ']', [this, depth] { return value(depth - 1); });
      default: return list('{', '}', [this, depth] { return key() + ":" + value(depth - 1); });
    }
  }

 private:
  std::string number() {
    char buffer[64];
    switch (random_() % 4) {
      case 0: return std::to_string(static_cast<std::int64_t>(random_()) >> (random_() % 64));
      case 1: {
        // Every bit pattern that is a number.
        const std::uint64_t bits = random_();
        double number = 0;
        static_assert(sizeof number == sizeof bits);
        std::memcpy(&number, &bits, sizeof number);
        if (number - number != 0) return "0";
        std::snprintf(buffer, sizeof buffer, "%.17g", number);
        return buffer;
      }
      case 2:
        std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(random_() % 12),
                      static_cast<double>(random_() % 100000) / 997);
        return buffer;
      default:
        return std::to_string(random_() % 1000) + "." + std::to_string(random_()) + "e" +
               std::to_string(static_cast<int>(random_() % 700) - 350);
    }
  }

  std::string string() {
    std::string text = "\"";
    for (auto n = random_() % 8; n > 0; --n) {
      char buffer[8];
      switch (random_() % 4) {
        case 0: text += static_cast<char>('a' + random_() % 26); break;
        case 1:
          std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(random_() % 0x10000));
          text += buffer;
          break;
        case 2:
          std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(0xd800 + random_() % 0x800));
          text += buffer;
          break;
        default: {
          const auto c = static_cast<std::uint32_t>(0x80 + random_() % 0x10ff80);
          append_utf8(text, c);  // a surrogate among them is not UTF-8
        }
      }
    }
    return text + "\"";
  }

  std::string key() { return random_() % 2 ? string() : "\"" + std::to_string(random_() % 12) + "\""; }

  template <class Item>
  std::string list(char open, char close, Item item) {
    std::string text(1, open);
    for (auto n = random_() % 6; n > 0; --n) text += item() + (n > 1 ? "," : "");
    return text + close;
  }

  std::mt19937_64 random_{20202020};
};

TEST_P(JsonAndNode, AgreeOnRandomValues) {
  Generator generator;
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i) texts.push_back(generator.value(4));

  compare_with_node(GetParam(), texts);
}

TEST_P(JsonAndNode, AgreeOnRandomValuesWithBytesChanged) {
  Generator generator;
  std::mt19937 random(7);
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i) {
    std::string text = generator.value(3);
    text[random() % text.size()] = static_cast<char>(random() % 3 ? "{}[],:\"\\0e-. "[random() % 13] : random());
    texts.push_back(std::move(text));
  }

  compare_with_node(GetParam(), texts);
}

}  // namespace
}  // namespace muster::core
