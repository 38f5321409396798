// Reads N-Triples (https://www.w3.org/TR/n-triples/), a line each: `<subject> <predicate> <object> .`
// A literal is its text alone: its language and data type are read and passed over.
#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace ntriples {

// Of one file: a graph is held in memory, by every process that runs the plugin.
inline constexpr size_t kMaxBytes = size_t{64} << 20;
inline constexpr size_t kMaxTriples = 500'000;

struct Term {
  enum class Kind { iri, blank, literal };
  Kind kind = Kind::iri;
  std::string text;

  bool operator<(const Term& other) const { return std::tie(kind, text) < std::tie(other.kind, other.text); }
};

struct Triple {
  Term subject, predicate, object;
};

inline void append_utf8(std::string& out, uint32_t code) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    tail(12), tail(6), tail(0);
  }
}

// How many bytes the character at the front has; 0: it is not UTF-8.
inline size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(0);
  const size_t length = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (first > 0xF4) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool no_scalar = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong || no_scalar ? 0 : length;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// One line. Throws std::invalid_argument that says what is wrong with it.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) {}

  // False for a line without a triple: an empty one, a comment.
  bool read(Triple& triple) {
    if (at_end()) return false;
    triple.subject = term();
    if (triple.subject.kind == Term::Kind::literal) fail("the subject is a literal");
    triple.predicate = term();
    if (triple.predicate.kind != Term::Kind::iri) fail("the predicate is no <IRI>");
    triple.object = term();
    skip_space();
    if (!take('.')) fail("the dot is missing at the end");
    if (!at_end()) fail("text after the dot");
    return true;
  }

 private:
  [[noreturn]] static void fail(const std::string& what) { throw std::invalid_argument(what); }

  void skip_space() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
  }
  bool at_end() {
    skip_space();
    return rest_.empty() || rest_.front() == '#';
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  char next(const char* unfinished) {
    if (rest_.empty()) fail(unfinished);
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  Term term() {
    skip_space();
    if (take('<')) return {Term::Kind::iri, iri()};
    if (take('"')) return {Term::Kind::literal, literal()};
    if (rest_.substr(0, 2) == "_:") return {Term::Kind::blank, label()};
    fail("an <IRI>, a \"literal\" or a _:blank is expected");
  }

  std::string iri() {
    std::string text;
    for (char c = next("an IRI that does not end"); c != '>'; c = next("an IRI that does not end")) {
      if (c == '\\')
        append_utf8(text, code_point(next("an IRI that does not end")));
      else if (static_cast<unsigned char>(c) <= ' ' ||
               std::string_view("<\"{}|^`").find(c) != std::string_view::npos)
        fail("an IRI with a space or one of <\"{}|^` in it");
      else
        text += c;
    }
    if (text.find(':') == std::string::npos) fail("an IRI that is not absolute");
    return text;
  }

  std::string label() {
    size_t end = rest_.find_first_of(" \t<\"#");
    if (end == std::string_view::npos) end = rest_.size();
    while (end > 2 && rest_[end - 1] == '.') --end;  // the dot of the triple
    if (end == 2) fail("a blank node without a label");
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return text;
  }

  std::string literal() {
    constexpr const char* kUnfinished = "a literal that does not end";
    std::string text;
    for (char c = next(kUnfinished); c != '"'; c = next(kUnfinished)) {
      if (c == '\\')
        append_escaped(text, next(kUnfinished));
      else
        text += c;
    }
    if (take('@'))
      skip_language();
    else if (rest_.substr(0, 3) == "^^<")
      rest_.remove_prefix(3), iri();
    return text;
  }

  void skip_language() {
    size_t end = 0;
    const auto belongs = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    };
    while (end < rest_.size() && belongs(rest_[end])) ++end;
    if (end == 0) fail("a literal's language is missing after @");
    rest_.remove_prefix(end);
  }

  void append_escaped(std::string& text, char escape) {
    constexpr std::string_view kEscapes = "tbnrf\"'\\", kMeanings = "\t\b\n\r\f\"'\\";
    const size_t which = kEscapes.find(escape);
    if (which == std::string_view::npos)
      append_utf8(text, code_point(escape));
    else
      text += kMeanings[which];
  }

  // Of \uXXXX or \UXXXXXXXX, after its letter.
  uint32_t code_point(char letter) {
    if (letter != 'u' && letter != 'U') fail("an escape that N-Triples does not have");
    uint32_t code = 0;
    for (int i = 0; i < (letter == 'u' ? 4 : 8); ++i) {
      const char c = next("an escape that does not end");
      const size_t digit =
          std::string_view("0123456789abcdef").find(c >= 'A' && c <= 'F' ? static_cast<char>(c | 0x20) : c);
      if (digit == std::string_view::npos) fail("an escape with a digit that is not hexadecimal");
      code = code << 4 | static_cast<uint32_t>(digit);
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) fail("an escape that is no character");
    return code;
  }

  std::string_view rest_;
};

// Calls `take` with each triple of the file. Throws std::invalid_argument "FILE:LINE: what is wrong".
inline void read(const std::string& path, const std::function<void(Triple&&)>& take) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::invalid_argument(path + ": no such file in the job folder");
  size_t num_bytes = 0, num_triples = 0, line = 1;
  for (std::string text; std::getline(in, text); ++line) {
    num_bytes += text.size() + 1;
    if (!text.empty() && text.back() == '\r') text.pop_back();
    try {
      if (num_bytes > kMaxBytes) throw std::invalid_argument("larger than 64 MiB, which is the most");
      if (!is_utf8(text)) throw std::invalid_argument("not valid UTF-8; save the file in that encoding");
      Triple triple;
      if (!Line(text).read(triple)) continue;
      if (++num_triples > kMaxTriples) throw std::invalid_argument("more than 500000 triples, the most");
      take(std::move(triple));
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(path + ":" + std::to_string(line) + ": " + error.what());
    }
  }
}

}  // namespace ntriples
