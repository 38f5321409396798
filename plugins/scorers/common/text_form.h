// In which form the shipped scorers compare two texts: the options `strip` and `ignore_case`.
#pragma once

#include <algorithm>
#include <cctype>
#include <rft/json.hpp>
#include <string>
#include <string_view>

class TextForm {
 public:
  TextForm() = default;
  explicit TextForm(const rft::Fields& options)
      : strip_(options.boolean("strip").value_or(true)),
        ignore_case_(options.boolean("ignore_case").value_or(false)) {}

  bool ignores_case() const { return ignore_case_; }

  std::string operator()(std::string_view text) const {
    constexpr std::string_view kSpace = " \t\r\n";
    if (strip_) {
      text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
      text.remove_suffix(text.size() - (text.find_last_not_of(kSpace) + 1));
    }
    std::string result(text);
    if (ignore_case_)
      for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
  }

 private:
  bool strip_ = true;
  bool ignore_case_ = false;
};
