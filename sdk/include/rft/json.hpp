// Reads the top level of a JSON object, which is all that most plugins need of their options and records, so
// that a plugin needs no JSON library. (For more, use the library you like on the same text.) Header-only,
// C++17. Every function may throw std::invalid_argument with a text that names the key.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rft {

// The keys of one JSON object and their values, each still as JSON text. It keeps views into the text that it
// was made from, which must outlive it.
class Fields {
 public:
  explicit Fields(std::string_view object) : rest_(object) {
    expect('{');
    if (!take('}')) {
      do {
        std::string key = parse_string();
        expect(':');
        fields_.emplace_back(std::move(key), skip_value(0));
      } while (take(','));
      expect('}');
    }
    skip_space();
    if (!rest_.empty()) fail("text after the object");
  }

  // In the order of the text.
  const std::vector<std::pair<std::string, std::string_view>>& all() const { return fields_; }

  // The value as JSON text ("\"a\"", "1.5", "[1,2]"), or nothing.
  std::optional<std::string_view> raw(std::string_view key) const {
    for (const auto& [name, value] : fields_)
      if (name == key) return value;
    return std::nullopt;
  }
  bool has(std::string_view key) const { return raw(key).has_value(); }

  // A string, a number, true or false, a list, an object; nothing if the key is absent or null.
  std::optional<std::string> text(std::string_view key) const {
    const auto value = present(key);
    if (!value) return std::nullopt;
    if (value->front() != '"') wrong_type(key, "a string");
    return Fields(Unparsed{*value}).parse_string();
  }
  std::optional<double> number(std::string_view key) const {
    const auto value = present(key);
    if (!value) return std::nullopt;
    if (value->front() != '-' && !is_digit(value->front())) wrong_type(key, "a number");
    return std::strtod(std::string(*value).c_str(), nullptr);
  }
  std::optional<bool> boolean(std::string_view key) const {
    const auto value = present(key);
    if (!value) return std::nullopt;
    if (*value != "true" && *value != "false") wrong_type(key, "true or false");
    return *value == "true";
  }
  std::optional<std::vector<std::string>> texts(std::string_view key) const {
    const auto value = present(key);
    if (!value) return std::nullopt;
    if (value->front() != '[') wrong_type(key, "a list of strings");
    Fields list(Unparsed{*value});
    std::vector<std::string> items;
    list.expect('[');
    if (list.take(']')) return items;
    do {
      list.skip_space();
      if (list.rest_.empty() || list.rest_.front() != '"') wrong_type(key, "a list of strings");
      items.push_back(list.parse_string());
    } while (list.take(','));
    return items;
  }
  // A nested object, which views the same text as this one.
  std::optional<Fields> table(std::string_view key) const {
    const auto value = present(key);
    if (!value) return std::nullopt;
    if (value->front() != '{') wrong_type(key, "a table of keys and values");
    return Fields(*value);
  }

  // Throws for a key that is not among `known`: a misspelt option must not be passed over.
  void allow_only(std::initializer_list<std::string_view> known) const {
    for (const auto& [name, value] : fields_) {
      bool found = false;
      std::string names;
      for (const auto candidate : known) {
        found = found || candidate == name;
        names.append(names.empty() ? "" : ", ").append(candidate);
      }
      if (!found)
        throw std::invalid_argument("unknown option \"" + name + "\"; " +
                                    (names.empty() ? "there are none" : "known are " + names));
    }
  }

 private:
  struct Unparsed {
    std::string_view text;
  };
  explicit Fields(Unparsed value) : rest_(value.text) {}

  static constexpr int kMaxDepth = 128;
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  [[noreturn]] static void fail(const std::string& what) {
    throw std::invalid_argument("not a JSON object: " + what);
  }
  [[noreturn]] static void wrong_type(std::string_view key, const char* type) {
    throw std::invalid_argument("\"" + std::string(key) + "\" must be " + type);
  }

  std::optional<std::string_view> present(std::string_view key) const {
    const auto value = raw(key);
    return value && *value != "null" ? value : std::nullopt;
  }

  void skip_space() {
    while (!rest_.empty() &&
           (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\n' || rest_.front() == '\r'))
      rest_.remove_prefix(1);
  }
  bool take(char c) {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }
  char next() {
    if (rest_.empty()) fail("it ends too early");
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  uint32_t parse_hex4() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = next();
      const char lower = static_cast<char>(c | 0x20);
      if (is_digit(c))
        value = value * 16 + static_cast<uint32_t>(c - '0');
      else if (lower >= 'a' && lower <= 'f')
        value = value * 16 + static_cast<uint32_t>(lower - 'a' + 10);
      else
        fail("a bad \\u escape");
    }
    return value;
  }
  static void append_utf8(std::string& out, uint32_t code) {
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xC0 | code >> 6);
      out += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      out += static_cast<char>(0xE0 | code >> 12);
      out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      out += static_cast<char>(0xF0 | code >> 18);
      out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
      out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
      out += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  void append_unicode_escape(std::string& out) {
    uint32_t code = parse_hex4();
    if (code >= 0xD800 && code < 0xDC00 && rest_.substr(0, 2) == "\\u") {
      rest_.remove_prefix(2);
      const uint32_t low = parse_hex4();
      code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
    } else if (code >= 0xD800 && code < 0xE000) {
      code = 0xFFFD;  // half of a pair
    }
    append_utf8(out, code);
  }
  std::string parse_string() {
    expect('"');
    std::string out;
    for (char c = next(); c != '"'; c = next()) {
      if (c != '\\') {
        out += c;
        continue;
      }
      switch (c = next()) {
        case 'n':
          out += '\n';
          break;
        case 't':
          out += '\t';
          break;
        case 'r':
          out += '\r';
          break;
        case 'b':
          out += '\b';
          break;
        case 'f':
          out += '\f';
          break;
        case 'u':
          append_unicode_escape(out);
          break;
        case '"':
        case '\\':
        case '/':
          out += c;
          break;
        default:
          fail("a bad escape");
      }
    }
    return out;
  }

  // Passes over one value and answers its text.
  std::string_view skip_value(int depth) {
    skip_space();
    if (depth > kMaxDepth) fail("nested too deeply");
    const std::string_view start = rest_;
    if (rest_.empty()) fail("it ends too early");
    const char first = rest_.front();
    if (first == '"') {
      parse_string();
    } else if (first == '{' || first == '[') {
      skip_container(first == '{' ? '}' : ']', depth);
    } else {
      while (!rest_.empty() && std::string_view(",]} \t\r\n").find(rest_.front()) == std::string_view::npos)
        rest_.remove_prefix(1);
      const std::string_view word = start.substr(0, start.size() - rest_.size());
      if (word.empty() ||
          (first != '-' && !is_digit(first) && word != "true" && word != "false" && word != "null"))
        fail("a bad value");
    }
    return start.substr(0, start.size() - rest_.size());
  }
  void skip_container(char end, int depth) {
    next();
    if (take(end)) return;
    do {
      if (end == '}') {
        parse_string();
        expect(':');
      }
      skip_value(depth + 1);
    } while (take(','));
    expect(end);
  }

  std::string_view rest_;
  std::vector<std::pair<std::string, std::string_view>> fields_;
};

}  // namespace rft
