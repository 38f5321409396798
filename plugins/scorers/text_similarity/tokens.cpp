#include "tokens.h"

#include <unicode/locid.h>
#include <unicode/unistr.h>

namespace {

bool is_digit(char32_t c) { return c >= U'0' && c <= U'9'; }
bool is_point_or_comma(char32_t c) { return c == U'.' || c == U','; }

// What Python's str.split() parts at.
bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// ASCII punctuation but for ' - . and the comma.
bool stands_alone(char32_t c) {
  return (c >= U'{' && c <= U'~') || (c >= U'[' && c <= U'`') || (c >= U'!' && c <= U'&') ||
         (c >= U'(' && c <= U'+') || (c >= U':' && c <= U'@') || c == U'/';
}

std::u32string replaced(const std::u32string& text, std::u32string_view from, std::u32string_view to) {
  std::u32string result;
  size_t at = 0;
  for (size_t found; (found = text.find(from, at)) != std::u32string::npos; at = found + from.size())
    result.append(text, at, found - at).append(to);
  return result.append(text, at);
}

// Rewrites each pair of neighbours that is (first, second), as one pass of a regular
// expression does: what one pair has used is not looked at again.
template <class First, class Second, class Write>
std::u32string each_pair(const std::u32string& text, const First& first, const Second& second,
                         const Write& write) {
  std::u32string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
      write(result, text[i], text[i + 1]);
      ++i;
    } else {
      result += text[i];
    }
  }
  return result;
}

template <class IsPart>
Tokens split(const std::u32string& text, const IsPart& is_part) {
  Tokens tokens;
  bool in_token = false;
  for (const char32_t c : text) {
    const bool part = is_part(c);
    if (part && !in_token) tokens.emplace_back();
    if (part) tokens.back() += c;
    in_token = part;
  }
  return tokens;
}

std::u32string to_code_points(const icu::UnicodeString& text) {
  std::u32string result;
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1))
    result += static_cast<char32_t>(text.char32At(i));
  return result;
}

}  // namespace

std::u32string code_points(std::string_view utf8) {
  return to_code_points(
      icu::UnicodeString::fromUTF8(icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size()))));
}

std::u32string lower_case(const std::u32string& text) {
  auto utf16 = icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                             static_cast<int32_t>(text.size()));
  return to_code_points(utf16.toLower(icu::Locale::getRoot()));
}

Tokens tokens_13a(const std::u32string& whole) {
  std::u32string text = whole;
  while (!text.empty() && is_space(text.back())) text.pop_back();
  text = replaced(text, U"<skipped>", U"");
  text = replaced(text, U"-\n", U"");
  text = replaced(text, U"\n", U" ");
  text = replaced(text, U"&quot;", U"\"");
  text = replaced(text, U"&amp;", U"&");
  text = replaced(text, U"&lt;", U"<");
  text = replaced(text, U"&gt;", U">");
  std::u32string spaced = U" ";
  for (const char32_t c : text)
    if (stands_alone(c))
      spaced.append({U' ', c, U' '});
    else
      spaced += c;
  spaced += U' ';
  const auto is_no_digit = [](char32_t c) { return !is_digit(c); };
  spaced = each_pair(spaced, is_no_digit, is_point_or_comma, [](auto& out, char32_t a, char32_t b) {
    out.append({a, U' ', b, U' '});
  });
  spaced = each_pair(spaced, is_point_or_comma, is_no_digit, [](auto& out, char32_t a, char32_t b) {
    out.append({U' ', a, U' ', b});
  });
  spaced = each_pair(
      spaced, is_digit, [](char32_t c) { return c == U'-'; },
      [](auto& out, char32_t a, char32_t b) {
        out.append({a, U' ', b, U' '});
      });
  return split(spaced, [](char32_t c) { return !is_space(c); });
}

Tokens rouge_tokens(const std::u32string& text) {
  return split(lower_case(text), [](char32_t c) { return (c >= U'a' && c <= U'z') || is_digit(c); });
}
