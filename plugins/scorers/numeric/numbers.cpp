#include "numbers.h"

#include <cstdlib>

namespace {

constexpr std::string_view kCurrencies[] = {"\\$", "$", "€", "£", "¥"};
constexpr std::string_view kSpaces[] = {" ", "\u00A0", "\u2009", "\u202F"};
constexpr std::string_view kTimes[] = {"×", "x", "*", "·", "\\times", "\\cdot"};
constexpr std::string_view kSuperscripts[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool digit_at(std::string_view text, size_t at) { return at < text.size() && is_digit(text[at]); }

bool take(std::string_view text, size_t& at, std::string_view token) {
  if (text.substr(at, token.size()) != token) return false;
  at += token.size();
  return true;
}
template <size_t N>
bool take_any(std::string_view text, size_t& at, const std::string_view (&tokens)[N]) {
  for (const auto token : tokens)
    if (take(text, at, token)) return true;
  return false;
}
bool take_minus(std::string_view text, size_t& at) { return take(text, at, "-") || take(text, at, "−"); }

// The token that ends at `end`; empty if none does.
template <size_t N>
std::string_view token_before(std::string_view text, size_t end, const std::string_view (&tokens)[N]) {
  for (const auto token : tokens)
    if (end >= token.size() && text.substr(end - token.size(), token.size()) == token) return token;
  return {};
}

std::string digits(std::string_view text, size_t& at) {
  const size_t begin = at;
  while (digit_at(text, at)) ++at;
  return std::string(text.substr(begin, at - begin));
}

std::string superscript_digits(std::string_view text, size_t& at) {
  std::string result;
  for (bool more = true; more;) {
    more = false;
    for (int digit = 0; digit < 10 && !more; ++digit)
      if ((more = take(text, at, kSuperscripts[digit]))) result += static_cast<char>('0' + digit);
  }
  return result;
}

// "e-3"; empty if there is none at `at`.
std::string e_exponent(std::string_view text, size_t& at) {
  size_t next = at;
  if (!take(text, next, "e") && !take(text, next, "E")) return {};
  const bool minus = take_minus(text, next);
  if (!minus) take(text, next, "+");
  const std::string power = digits(text, next);
  if (power.empty()) return {};
  at = next;
  return (minus ? "e-" : "e") + power;
}

// "×10^-3", "\times 10^{-3}" or "·10⁻³" as "e-3"; empty if there is none at `at`.
std::string power_of_ten(std::string_view text, size_t& at) {
  size_t next = at;
  take_any(text, next, kSpaces);
  if (!take_any(text, next, kTimes)) return {};
  take_any(text, next, kSpaces);
  if (!take(text, next, "10")) return {};
  std::string power;
  bool minus = false;
  if (take(text, next, "^")) {
    const bool braced = take(text, next, "{");
    minus = take_minus(text, next);
    power = digits(text, next);
    if (braced && !take(text, next, "}")) return {};
  } else {
    minus = take(text, next, "⁻");
    power = superscript_digits(text, next);
  }
  if (power.empty()) return {};
  at = next;
  return (minus ? "e-" : "e") + power;
}

double value_of(const std::string& number) { return std::strtod(number.c_str(), nullptr); }

// The quotient of "3/4", from the whole number `above` that ends at `at`. A date such as 1/2/2024 is none.
std::optional<double> quotient(double above, std::string_view text, size_t& at) {
  size_t next = at;
  if (!take(text, next, "/")) return std::nullopt;
  const double below = value_of(digits(text, next));
  if (below == 0 || (text.substr(next, 1) == "/" && digit_at(text, next + 1))) return std::nullopt;
  at = next;
  return above / below;
}

// The 1/2 of "1 1/2".
std::optional<double> mixed_fraction(std::string_view text, size_t& at) {
  size_t next = at;
  if (!take_any(text, next, kSpaces) || !digit_at(text, next)) return std::nullopt;
  const double above = value_of(digits(text, next));
  const auto fraction = quotient(above, text, next);
  if (!fraction || *fraction >= 1) return std::nullopt;
  at = next;
  return fraction;
}

std::optional<double> latex_fraction(std::string_view text, size_t& at) {
  constexpr std::string_view kNames[] = {"\\frac{", "\\dfrac{", "\\tfrac{"};
  size_t next = at;
  if (!take_any(text, next, kNames)) return std::nullopt;
  const bool minus = take_minus(text, next);
  const std::string above = digits(text, next);
  if (above.empty() || !take(text, next, "}{")) return std::nullopt;
  const double below = value_of(digits(text, next));
  if (below == 0 || !take(text, next, "}")) return std::nullopt;
  at = next;
  return (minus ? -1 : 1) * value_of(above) / below;
}

}  // namespace

NumberReader::NumberReader(char decimal_mark, std::vector<std::pair<std::string, double>> units)
    : decimal_mark_(decimal_mark), units_(std::move(units)) {
  for (const auto& [name, factor] :
       {std::pair("%", 0.01), std::pair("\\%", 0.01), std::pair("percent", 0.01)})
    if (!factor_of(name)) units_.emplace_back(name, factor);
}

std::vector<Number> NumberReader::read(std::string_view text) const {
  std::vector<Number> numbers;
  for (size_t at = 0; at < text.size();) {
    const auto number = number_at(text, at);
    if (number) numbers.push_back(*number);
    at = number ? number->end : at + 1;
  }
  return numbers;
}

std::optional<Number> NumberReader::number_at(std::string_view text, size_t at) const {
  if (at > 0 && (is_letter(text[at - 1]) || is_digit(text[at - 1]))) return std::nullopt;  // within a word
  Number number;
  number.begin = number.end = at;
  if (const auto fraction = latex_fraction(text, number.end)) {
    number.value = *fraction;
  } else if (const auto plain = decimal(text, number.end)) {
    number.value = *plain;
  } else {
    return std::nullopt;
  }
  take_sign(text, number);
  take_unit(text, number);
  return number;
}

// The digits before the decimal mark, without their separators: groups of three after one to three digits.
std::string NumberReader::whole_part(std::string_view text, size_t& at) const {
  const std::string_view separators[] = {
      decimal_mark_ == '.' ? "," : ".", "'", "’", "_", "\u00A0", "\u2009", "\u202F"};
  std::string whole = digits(text, at);
  if (whole.empty() || whole.size() > 3 || whole.front() == '0') return whole;
  for (const auto separator : separators) {
    const size_t before = at;
    for (size_t next = at; take(text, next, separator);) {
      const std::string group = digits(text, next);
      if (group.size() != 3) break;
      whole += group;
      at = next;
    }
    if (at > before) break;  // one kind of separator for the whole number
  }
  return whole;
}

// A number from its first digit on, with its exponent or fraction, without its sign.
std::optional<double> NumberReader::decimal(std::string_view text, size_t& at) const {
  const bool in_date = at >= 2 && text[at - 1] == '/' && is_digit(text[at - 2]);
  std::string number = whole_part(text, at);
  bool is_whole = true;
  if (at < text.size() && text[at] == decimal_mark_ && digit_at(text, at + 1)) {
    is_whole = false;
    number += "." + digits(text, ++at);
  }
  if (number.empty()) return std::nullopt;
  std::string exponent = e_exponent(text, at);
  if (exponent.empty()) exponent = power_of_ten(text, at);
  const double value = value_of(number + exponent);
  if (!is_whole || !exponent.empty() || in_date) return value;
  if (const auto fraction = quotient(value, text, at)) return fraction;
  if (const auto fraction = mixed_fraction(text, at)) return value + *fraction;
  return value;
}

// A minus counts where it does not stand between two things, as in "5-3"; a currency may stand on either
// side.
void NumberReader::take_sign(std::string_view text, Number& number) const {
  constexpr std::string_view kSigns[] = {"-", "−", "+"};
  std::string_view sign, currency;
  const auto take_currency = [&] {
    if (!currency.empty()) return;
    currency = token_before(text, number.begin, kCurrencies);
    number.begin -= currency.size();
  };
  take_currency();
  sign = token_before(text, number.begin, kSigns);
  const size_t before = number.begin - sign.size();
  if (!sign.empty() && (before == 0 || !(is_letter(text[before - 1]) || is_digit(text[before - 1]) ||
                                         text[before - 1] == ')'))) {
    number.begin = before;
    if (sign != "+") number.value = -number.value;
    take_currency();
  }
  if (const auto factor = factor_of(currency)) {
    number.value *= *factor;
    number.has_unit = true;
  }
}

// The longest unit that follows, with or without a space, and is not the beginning of another word.
void NumberReader::take_unit(std::string_view text, Number& number) const {
  size_t begin = number.end;
  take_any(text, begin, kSpaces);
  const std::pair<std::string, double>* longest = nullptr;
  for (const auto& unit : units_) {
    size_t end = begin;
    if (!take(text, end, unit.first)) continue;
    if (is_letter(unit.first.back()) && end < text.size() && is_letter(text[end])) continue;
    if (longest == nullptr || unit.first.size() > longest->first.size()) longest = &unit;
  }
  if (longest == nullptr) return;
  number.value *= longest->second;
  number.has_unit = true;
  number.end = begin + longest->first.size();
}

std::optional<double> NumberReader::factor_of(std::string_view unit) const {
  for (const auto& [name, factor] : units_)
    if (name == unit) return factor;
  return std::nullopt;
}
