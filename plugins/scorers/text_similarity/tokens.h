// Texts as code points, and the words that the metrics count. Each is as the published reference has it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

using Tokens = std::vector<std::u32string>;

// What is no UTF-8 becomes U+FFFD.
std::u32string code_points(std::string_view utf8);

// As Python's str.lower(), special cases of Unicode included.
std::u32string lower_case(const std::u32string& text);

// The tokenizer "13a" of sacrebleu and WMT: punctuation stands alone, but not within numbers.
Tokens tokens_13a(const std::u32string& text);

// The tokenizer of google's rouge-score: runs of a-z and 0-9 in lower case; all else parts them.
Tokens rouge_tokens(const std::u32string& text);
