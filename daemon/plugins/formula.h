// An arithmetic formula over named numbers, as OpenAI's multi grader spells it: + - * / ^, parentheses, and
// min max abs floor ceil exp sqrt log. Immutable; safe to use from several threads.
//
//   sum     = product { ("+" | "-") product }
//   product = signed { ("*" | "/") signed }
//   signed  = ["-" | "+"] signed | power
//   power   = atom ["^" signed]                  so that 2^3^2 is 2^9, and -2^2 is -4
//   atom    = number | name | function "(" sum { "," sum } ")" | "(" sum ")"
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace rft::plugins {

class Formula {
 public:
  // Throws Error(invalid_argument) "column 7: what is wrong", also for a text of more than 4000 characters.
  // `names` are those that it may use.
  Formula(const std::string& text, const std::vector<std::string>& names);
  ~Formula();
  Formula(Formula&&) noexcept;
  Formula& operator=(Formula&&) noexcept;

  // Whether the formula uses the name.
  bool uses(const std::string& name) const;
  // `values` has every name that the formula uses. Throws Error(invalid_argument) "column 7: …" for a
  // division by zero and any other step without a finite result.
  double evaluate(const std::map<std::string, double>& values) const;

  // Whether a formula can call something so: a letter or "_", then letters, digits and "_", and no function.
  static bool is_name(const std::string& word);

  struct Node;

 private:
  std::unique_ptr<const Node> root_;
};

}  // namespace rft::plugins
