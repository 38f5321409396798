// Porter's stemmer as NLTK has it by default ("NLTK_EXTENSIONS"), since that is what METEOR and ROUGE are
// published with; it differs from Porter's own in a few rules and a table of irregular words. M. F. Porter:
// An algorithm for suffix stripping. Program 14 (1980).
#pragma once

#include <string>

// `word` is in lower case.
std::u32string porter_stem(std::u32string word);
