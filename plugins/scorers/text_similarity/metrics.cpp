#include "metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "porter.h"

namespace {

constexpr size_t kMaxOrder = 4;

double f1(double matching, double num_text, double num_reference) {
  return matching > 0 ? 2 * matching / (num_text + num_reference) : 0;
}

// The length of the longest common subsequence, 64 columns at a time: H. Hyyrö, Bit-parallel LCS-length
// computation revisited (2004). A bit of `row` that is 0 says that the length grows at that column.
size_t common_subsequence(const std::u32string& a, const std::u32string& b) {
  const size_t num_words = (a.size() + 63) / 64;
  std::unordered_map<char32_t, std::vector<uint64_t>> columns_of;
  for (size_t i = 0; i < a.size(); ++i) {
    auto& columns = columns_of[a[i]];
    columns.resize(num_words);
    columns[i / 64] |= uint64_t{1} << i % 64;
  }
  std::vector<uint64_t> row(num_words, ~uint64_t{0});
  for (const char32_t c : b) {
    const auto columns = columns_of.find(c);
    if (columns == columns_of.end()) continue;
    uint64_t carry = 0;
    for (size_t w = 0; w < num_words; ++w) {
      const uint64_t matching = row[w] & columns->second[w];
      const uint64_t partial = row[w] + carry;
      const uint64_t sum = partial + matching;
      carry = (partial < carry) + (sum < partial);
      row[w] = sum | (row[w] - matching);
    }
  }
  size_t length = 0;
  for (size_t i = 0; i < a.size(); ++i) length += (row[i / 64] >> i % 64 & 1) == 0;
  return length;
}

// The words of both texts as numbers, so that a text is a string of them and an n-gram a part of it.
struct Numbered {
  std::u32string text, reference;

  Numbered(const Tokens& text_tokens, const Tokens& reference_tokens) {
    std::unordered_map<std::u32string_view, char32_t> numbers;
    const auto number = [&](const Tokens& tokens, std::u32string& into) {
      for (const auto& token : tokens)
        into += numbers.try_emplace(token, static_cast<char32_t>(numbers.size())).first->second;
    };
    number(text_tokens, text);
    number(reference_tokens, reference);
  }
};

size_t num_ngrams(const std::u32string& words, size_t n) {
  return words.size() >= n ? words.size() - n + 1 : 0;
}

// The n-grams that both have, each as often as the one that has it less often.
size_t num_matching(const Numbered& both, size_t n) {
  std::unordered_map<std::u32string_view, size_t> left;
  for (size_t i = 0; i < num_ngrams(both.reference, n); ++i)
    ++left[std::u32string_view(both.reference).substr(i, n)];
  size_t matching = 0;
  for (size_t i = 0; i < num_ngrams(both.text, n); ++i) {
    const auto ngram = left.find(std::u32string_view(both.text).substr(i, n));
    if (ngram == left.end() || ngram->second == 0) continue;
    --ngram->second;
    ++matching;
  }
  return matching;
}

// Which word of the text stands for which of the reference. Each of the text's words, from the last one on,
// takes the last word of the reference that is equal and free.
class Alignment {
 public:
  void match(const Tokens& text, const Tokens& reference) {
    std::unordered_map<std::u32string_view, std::vector<size_t>> free;
    for (size_t j = 0; j < reference.size(); ++j)
      if (taken_.count(j) == 0) free[reference[j]].push_back(j);
    for (size_t i = text.size(); i-- > 0;) {
      if (pairs_.count(i) > 0) continue;
      const auto places = free.find(text[i]);
      if (places == free.end() || places->second.empty()) continue;
      pairs_[i] = places->second.back();
      taken_[places->second.back()] = i;
      places->second.pop_back();
    }
  }

  size_t size() const { return pairs_.size(); }

  // The runs of pairs that are neighbours in both texts.
  size_t num_chunks() const {
    size_t chunks = 0;
    const std::pair<const size_t, size_t>* before = nullptr;
    for (const auto& pair : pairs_) {
      chunks += before == nullptr || pair.first != before->first + 1 || pair.second != before->second + 1;
      before = &pair;
    }
    return chunks;
  }

 private:
  std::map<size_t, size_t> pairs_;  // by the text's index
  std::unordered_map<size_t, size_t> taken_;
};

Tokens stems(const Tokens& words) {
  Tokens result;
  for (const auto& word : words) result.push_back(porter_stem(word));
  return result;
}

}  // namespace

double fuzzy_match(const std::u32string& text, const std::u32string& reference) {
  if (text.empty() && reference.empty()) return 1;
  const auto common = static_cast<double>(common_subsequence(text, reference));
  return f1(common, static_cast<double>(text.size()), static_cast<double>(reference.size()));
}

double bleu(const Tokens& text, const Tokens& reference) {
  const Numbered both(text, reference);
  double log_precisions = 0, smoothing = 1;
  size_t num_orders = 0;
  for (; num_orders < kMaxOrder && num_ngrams(both.text, num_orders + 1) > 0; ++num_orders) {
    const auto total = static_cast<double>(num_ngrams(both.text, num_orders + 1));
    const auto matching = static_cast<double>(num_matching(both, num_orders + 1));
    if (num_orders == 0 && matching == 0) return 0;
    if (matching == 0) smoothing *= 2;
    log_precisions += std::log(matching > 0 ? matching / total : 1 / (smoothing * total));
  }
  if (num_orders == 0) return 0;
  const double length_ratio = static_cast<double>(reference.size()) / static_cast<double>(text.size());
  return std::exp(std::min(0.0, 1 - length_ratio) + log_precisions / static_cast<double>(num_orders));
}

double gleu(const Tokens& text, const Tokens& reference) {
  const Numbered both(text, reference);
  size_t matching = 0, in_text = 0, in_reference = 0;
  for (size_t n = 1; n <= kMaxOrder; ++n) {
    matching += num_matching(both, n);
    in_text += num_ngrams(both.text, n);
    in_reference += num_ngrams(both.reference, n);
  }
  return matching > 0 ? static_cast<double>(matching) / static_cast<double>(std::max(in_text, in_reference))
                      : 0;
}

double meteor(const Tokens& text, const Tokens& reference) {
  constexpr double kAlpha = 0.9, kBeta = 3, kGamma = 0.5;
  Alignment alignment;
  alignment.match(text, reference);
  alignment.match(stems(text), stems(reference));
  if (alignment.size() == 0) return 0;
  const auto matching = static_cast<double>(alignment.size());
  const double precision = matching / static_cast<double>(text.size());
  const double recall = matching / static_cast<double>(reference.size());
  const double mean = precision * recall / (kAlpha * precision + (1 - kAlpha) * recall);
  const double penalty = kGamma * std::pow(static_cast<double>(alignment.num_chunks()) / matching, kBeta);
  return (1 - penalty) * mean;
}

double rouge_n(const Tokens& text, const Tokens& reference, size_t n) {
  const Numbered both(text, reference);
  return f1(static_cast<double>(num_matching(both, n)), static_cast<double>(num_ngrams(both.text, n)),
            static_cast<double>(num_ngrams(both.reference, n)));
}

double rouge_l(const Tokens& text, const Tokens& reference) {
  const Numbered both(text, reference);
  return f1(static_cast<double>(common_subsequence(both.text, both.reference)),
            static_cast<double>(text.size()), static_cast<double>(reference.size()));
}
