#include "porter.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

namespace {

using Word = std::u32string;
using View = std::u32string_view;

bool ends_with(View word, View suffix) {
  return word.size() >= suffix.size() && word.substr(word.size() - suffix.size()) == suffix;
}
View without(View word, size_t num_letters) { return word.substr(0, word.size() - num_letters); }

// A "y" is a consonant where the letter before it is none, or where there is none.
std::vector<bool> consonants(View word) {
  std::vector<bool> flags;
  for (const char32_t c : word)
    flags.push_back(c == U'y' ? flags.empty() || !flags.back() : View(U"aeiou").find(c) == View::npos);
  return flags;
}

// m, the number of vowel-consonant sequences.
int measure(View stem) {
  const auto flags = consonants(stem);
  int sequences = 0;
  for (size_t i = 1; i < flags.size(); ++i) sequences += !flags[i - 1] && flags[i];
  return sequences;
}
bool has_measure(View stem) { return measure(stem) > 0; }
bool has_measure_above_1(View stem) { return measure(stem) > 1; }

bool has_vowel(View stem) {
  const auto flags = consonants(stem);
  return std::find(flags.begin(), flags.end(), false) != flags.end();
}

bool ends_in_double_consonant(View word) {
  return word.size() >= 2 && word.back() == word[word.size() - 2] && consonants(word).back();
}

// *o: it ends consonant, vowel, consonant, and not in w, x or y; or it is a vowel and a consonant.
bool ends_cvc(View word) {
  const auto flags = consonants(word);
  const size_t n = word.size();
  if (n == 2) return !flags[0] && flags[1];
  return n >= 3 && flags[n - 3] && !flags[n - 2] && flags[n - 1] &&
         View(U"wxy").find(word.back()) == View::npos;
}

struct Rule {
  View suffix, replacement;
};
// The first rule whose suffix is the word's decides: it is applied where the stem satisfies the condition.
template <size_t N, class Condition>
Word apply(const Word& word, const Rule (&rules)[N], const Condition& condition) {
  for (const auto& [suffix, replacement] : rules) {
    if (!ends_with(word, suffix)) continue;
    const View stem = without(word, suffix.size());
    return condition(stem) ? Word(stem).append(replacement) : word;
  }
  return word;
}

Word step_1a(const Word& word) {
  if (word.size() == 4 && ends_with(word, U"ies")) return Word(without(word, 1));
  constexpr Rule kRules[] = {{U"sses", U"ss"}, {U"ies", U"i"}, {U"ss", U"ss"}, {U"s", U""}};
  return apply(word, kRules, [](View) { return true; });
}

Word after_ed_or_ing(const Word& stem) {
  for (const View suffix : {U"at", U"bl", U"iz"})
    if (ends_with(stem, suffix)) return stem + U"e";
  if (ends_in_double_consonant(stem))
    return View(U"lsz").find(stem.back()) == View::npos ? Word(without(stem, 1)) : stem;
  return measure(stem) == 1 && ends_cvc(stem) ? stem + U"e" : stem;
}

Word step_1b(const Word& word) {
  if (ends_with(word, U"ied")) return Word(without(word, word.size() == 4 ? 1 : 2));
  if (ends_with(word, U"eed")) return has_measure(without(word, 3)) ? Word(without(word, 1)) : word;
  for (const View suffix : {U"ed", U"ing"})
    if (ends_with(word, suffix) && has_vowel(without(word, suffix.size())))
      return after_ed_or_ing(Word(without(word, suffix.size())));
  return word;
}

Word step_1c(const Word& word) {
  constexpr Rule kRules[] = {{U"y", U"i"}};
  return apply(word, kRules, [](View stem) { return stem.size() > 1 && consonants(stem).back(); });
}

Word step_2(const Word& word) {
  if (ends_with(word, U"alli") && has_measure(without(word, 4))) return step_2(Word(without(word, 2)));
  constexpr Rule kRules[] = {{U"ational", U"ate"}, {U"tional", U"tion"}, {U"enci", U"ence"},
                             {U"anci", U"ance"},   {U"izer", U"ize"},    {U"bli", U"ble"},
                             {U"alli", U"al"},     {U"entli", U"ent"},   {U"eli", U"e"},
                             {U"ousli", U"ous"},   {U"ization", U"ize"}, {U"ation", U"ate"},
                             {U"ator", U"ate"},    {U"alism", U"al"},    {U"iveness", U"ive"},
                             {U"fulness", U"ful"}, {U"ousness", U"ous"}, {U"aliti", U"al"},
                             {U"iviti", U"ive"},   {U"biliti", U"ble"},  {U"fulli", U"ful"}};
  // The "l" of "logi" belongs to the stem, so that "geologi" is treated as "archaeologi" is.
  if (ends_with(word, U"logi")) return has_measure(without(word, 3)) ? Word(without(word, 1)) : word;
  return apply(word, kRules, has_measure);
}

Word step_3(const Word& word) {
  constexpr Rule kRules[] = {{U"icate", U"ic"}, {U"ative", U""}, {U"alize", U"al"}, {U"iciti", U"ic"},
                             {U"ical", U"ic"},  {U"ful", U""},   {U"ness", U""}};
  return apply(word, kRules, has_measure);
}

Word step_4(const Word& word) {
  constexpr Rule kRules[] = {{U"al", U""},   {U"ance", U""}, {U"ence", U""}, {U"er", U""},    {U"ic", U""},
                             {U"able", U""}, {U"ible", U""}, {U"ant", U""},  {U"ement", U""}, {U"ment", U""},
                             {U"ent", U""},  {U"ion", U""},  {U"ou", U""},   {U"ism", U""},   {U"ate", U""},
                             {U"iti", U""},  {U"ous", U""},  {U"ive", U""},  {U"ize", U""}};
  return apply(word, kRules, [&](View stem) {
    return has_measure_above_1(stem) &&
           (!ends_with(word, U"ion") || stem.back() == U's' || stem.back() == U't');
  });
}

Word step_5(const Word& word) {
  Word result = word;
  if (ends_with(word, U"e")) {
    const View stem = without(word, 1);
    if (has_measure_above_1(stem) || (measure(stem) == 1 && !ends_cvc(stem))) result = Word(stem);
  }
  if (ends_with(result, U"ll") && has_measure_above_1(without(result, 1))) result.pop_back();
  return result;
}

const std::map<Word, Word>& irregular_words() {
  static const std::map<Word, Word> words = {
      {U"sky", U"sky"},        {U"skies", U"sky"},       {U"dying", U"die"},        {U"lying", U"lie"},
      {U"tying", U"tie"},      {U"news", U"news"},       {U"innings", U"inning"},   {U"inning", U"inning"},
      {U"outings", U"outing"}, {U"outing", U"outing"},   {U"cannings", U"canning"}, {U"canning", U"canning"},
      {U"howe", U"howe"},      {U"proceed", U"proceed"}, {U"exceed", U"exceed"},    {U"succeed", U"succeed"}};
  return words;
}

}  // namespace

std::u32string porter_stem(std::u32string word) {
  const auto irregular = irregular_words().find(word);
  if (irregular != irregular_words().end()) return irregular->second;
  if (word.size() <= 2) return word;
  return step_5(step_4(step_3(step_2(step_1c(step_1b(step_1a(word)))))));
}
