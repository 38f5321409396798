// The similarity of a text to a reference, from 0 to 1. tests/data/make_text_similarity_vectors.py names the
// published implementation that each agrees with.
#pragma once

#include <string>

#include "tokens.h"

// Shared code points in order: 2·LCS / (both lengths); rapidfuzz.fuzz.ratio / 100.
double fuzzy_match(const std::u32string& text, const std::u32string& reference);

// sacrebleu.sentence_bleu / 100: up to 4-grams, exponential smoothing, only the orders that the text has.
// Papineni et al.: BLEU. ACL 2002.
double bleu(const Tokens& text, const Tokens& reference);

// nltk sentence_gleu: matching n-grams, up to 4, by the larger of both counts. Wu et al., arXiv:1609.08144.
double gleu(const Tokens& text, const Tokens& reference);

// nltk meteor_score without WordNet: words match exactly, then by their Porter stems.
// Lavie and Agarwal, 2007, with alpha 0.9, beta 3, gamma 0.5. Tokens are in lower case.
double meteor(const Tokens& text, const Tokens& reference);

// rouge-score: the F1 of n-grams, and of the longest common subsequence of words. Lin: ROUGE, 2004.
double rouge_n(const Tokens& text, const Tokens& reference, size_t n);
double rouge_l(const Tokens& text, const Tokens& reference);
