// Finds the numbers in a text: signs, thousands separators, exponents (also ×10^n), fractions (also 1 1/2 and
// \frac{1}{2}), percent and units. README.md says what counts as one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct Number {
  double value = 0;  // in the unit whose factor is 1; infinite where it is too large
  bool has_unit = false;
  size_t begin = 0, end = 0;  // where it stands, with its sign and unit
};

class NumberReader {
 public:
  // `decimal_mark` is '.' or ','; the other one separates thousands. `units` are names and factors.
  NumberReader(char decimal_mark, std::vector<std::pair<std::string, double>> units);

  std::vector<Number> read(std::string_view text) const;

 private:
  std::optional<Number> number_at(std::string_view text, size_t at) const;
  std::string whole_part(std::string_view text, size_t& at) const;
  std::optional<double> decimal(std::string_view text, size_t& at) const;
  void take_sign(std::string_view text, Number& number) const;
  void take_unit(std::string_view text, Number& number) const;
  std::optional<double> factor_of(std::string_view unit) const;

  char decimal_mark_;
  std::vector<std::pair<std::string, double>> units_;
};
