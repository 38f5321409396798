#include "plugins/formula.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/nearest.h"

namespace rft::plugins {

// One operation, or a leaf: a number or a name.
struct Formula::Node {
  size_t column;   // of what stands for it in the text, from 1
  std::string op;  // "number", "name", an operator or a function
  double number = 0;
  std::string name;
  std::vector<std::unique_ptr<const Node>> operands;
};

namespace {

using NodePtr = std::unique_ptr<const Formula::Node>;
using Operands = std::vector<double>;

constexpr int kMaxDepth = 100;
// A sum of many terms is a tree as deep as it is long, which is walked by recursion.
constexpr size_t kMaxLength = 4000;

struct Function {
  const char* name;
  size_t min_operands, max_operands;
  std::function<double(const Operands&)> apply;
};

const std::vector<Function>& functions() {
  static const std::vector<Function> all = {
      {"min", 1, 100, [](const Operands& x) { return *std::min_element(x.begin(), x.end()); }},
      {"max", 1, 100, [](const Operands& x) { return *std::max_element(x.begin(), x.end()); }},
      {"abs", 1, 1, [](const Operands& x) { return std::abs(x[0]); }},
      {"floor", 1, 1, [](const Operands& x) { return std::floor(x[0]); }},
      {"ceil", 1, 1, [](const Operands& x) { return std::ceil(x[0]); }},
      {"exp", 1, 1, [](const Operands& x) { return std::exp(x[0]); }},
      {"sqrt", 1, 1, [](const Operands& x) { return std::sqrt(x[0]); }},
      {"log", 1, 1, [](const Operands& x) { return std::log(x[0]); }},
  };
  return all;
}

const Function* find_function(const std::string& name) {
  const auto found = std::find_if(functions().begin(), functions().end(),
                                  [&](const Function& function) { return function.name == name; });
  return found == functions().end() ? nullptr : &*found;
}

[[noreturn]] void fail(size_t column, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "column " + std::to_string(column) + ": " + what);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

NodePtr make(size_t column, std::string op, NodePtr first, NodePtr second = nullptr) {
  Formula::Node node{column, std::move(op), 0, {}, {}};
  node.operands.push_back(std::move(first));
  if (second) node.operands.push_back(std::move(second));
  return std::make_unique<const Formula::Node>(std::move(node));
}

class Parser {
 public:
  Parser(const std::string& text, const std::vector<std::string>& names) : text_(text), names_(names) {}

  NodePtr parse() {
    if (text_.size() > kMaxLength)
      fail(kMaxLength + 1, "a formula has at most " + std::to_string(kMaxLength) + " characters");
    NodePtr root = sum();
    if (!at_end()) fail(column(), "\"" + std::string(1, text_[at_]) + "\" cannot stand here");
    return root;
  }

 private:
  bool at_end() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
    return at_ == text_.size();
  }
  size_t column() const { return at_ + 1; }

  // The operator that stands here, if it is one of `which`; 0 otherwise.
  char take(std::string_view which) {
    if (at_end() || which.find(text_[at_]) == std::string_view::npos) return 0;
    return text_[at_++];
  }

  NodePtr sum() {
    NodePtr left = product();
    while (const char op = take("+-")) {
      const size_t where = at_;
      left = make(where, {op}, std::move(left), product());
    }
    return left;
  }

  NodePtr product() {
    NodePtr left = with_sign();
    while (const char op = take("*/")) {
      const size_t where = at_;
      left = make(where, {op}, std::move(left), with_sign());
    }
    return left;
  }

  // Everything that nests passes here.
  NodePtr with_sign() {
    if (++depth_ > kMaxDepth) fail(column(), "nested too deeply");
    const char sign = take("+-");
    const size_t where = at_;
    NodePtr node = sign == 0 ? power() : with_sign();
    --depth_;
    return sign == '-' ? make(where, "negative", std::move(node)) : std::move(node);
  }

  NodePtr power() {
    NodePtr base = atom();
    if (take("^") == 0) return base;
    const size_t where = at_;
    return make(where, "^", std::move(base), with_sign());
  }

  NodePtr atom() {
    if (at_end()) fail(column(), "the formula ends where a number, a name or \"(\" is wanted");
    if (is_digit(text_[at_]) || text_[at_] == '.') return number();
    if (is_letter(text_[at_])) return word();
    if (take("(") == 0)
      fail(column(), "\"" + std::string(1, text_[at_]) + "\" where a number, a name or \"(\" is wanted");
    const size_t where = at_;
    NodePtr inner = sum();
    if (take(")") == 0) fail(where, "this \"(\" has no \")\"");
    return inner;
  }

  NodePtr number() {
    Formula::Node node{column(), "number", 0, {}, {}};
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), node.number);
    if (error != std::errc() || !std::isfinite(node.number)) fail(column(), "this is no number");
    at_ = static_cast<size_t>(end - text_.data());
    return std::make_unique<const Formula::Node>(std::move(node));
  }

  NodePtr word() {
    const size_t begin = at_;
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
    Formula::Node node{begin + 1, "name", 0, text_.substr(begin, at_ - begin), {}};
    if (const Function* function = find_function(node.name)) return call(*function, begin + 1);
    if (std::find(names_.begin(), names_.end(), node.name) == names_.end()) fail_unknown(node);
    return std::make_unique<const Formula::Node>(std::move(node));
  }

  NodePtr call(const Function& function, size_t where) {
    const std::string name = function.name;
    if (take("(") == 0) fail(where, name + " is a function: write " + name + "(…)");
    Formula::Node node{where, name, 0, {}, {}};
    do node.operands.push_back(sum());
    while (take(",") != 0);
    if (take(")") == 0) fail(column(), "\")\" is wanted, which ends " + name + "(…)");
    if (node.operands.size() < function.min_operands || node.operands.size() > function.max_operands)
      fail(where, name + " takes " + (function.max_operands == 1 ? "one number" : "1 to 100 numbers") +
                      ", not " + std::to_string(node.operands.size()));
    return std::make_unique<const Formula::Node>(std::move(node));
  }

  [[noreturn]] void fail_unknown(const Formula::Node& node) const {
    std::vector<std::string> known = names_;
    for (const Function& function : functions()) known.emplace_back(function.name);
    std::string list;
    for (const auto& name : names_) list += (list.empty() ? "" : ", ") + name;
    fail(node.column,
         "\"" + node.name + "\" is unknown; the names are " + list + did_you_mean(node.name, known));
  }

  const std::string& text_;
  const std::vector<std::string>& names_;
  size_t at_ = 0;
  int depth_ = 0;
};

double result_of(const Formula::Node& node, const Operands& x) {
  if (node.op == "negative") return -x[0];
  if (node.op == "+") return x[0] + x[1];
  if (node.op == "-") return x[0] - x[1];
  if (node.op == "*") return x[0] * x[1];
  if (node.op == "^") return std::pow(x[0], x[1]);
  if (node.op != "/") return find_function(node.op)->apply(x);
  if (x[1] == 0) fail(node.column, "division by zero");
  return x[0] / x[1];
}

double value_of(const Formula::Node& node, const std::map<std::string, double>& values) {
  if (node.op == "number") return node.number;
  if (node.op == "name") return values.at(node.name);
  Operands operands;
  for (const auto& operand : node.operands) operands.push_back(value_of(*operand, values));
  const double value = result_of(node, operands);
  if (!std::isfinite(value)) fail(node.column, "the result of \"" + node.op + "\" is not finite");
  return value;
}

bool mentions(const Formula::Node& node, const std::string& name) {
  return node.name == name || std::any_of(node.operands.begin(), node.operands.end(),
                                          [&](const auto& operand) { return mentions(*operand, name); });
}

}  // namespace

Formula::Formula(const std::string& text, const std::vector<std::string>& names)
    : root_(Parser(text, names).parse()) {}
Formula::~Formula() = default;
Formula::Formula(Formula&&) noexcept = default;
Formula& Formula::operator=(Formula&&) noexcept = default;

bool Formula::uses(const std::string& name) const { return mentions(*root_, name); }

double Formula::evaluate(const std::map<std::string, double>& values) const {
  return value_of(*root_, values);
}

bool Formula::is_name(const std::string& word) {
  return !word.empty() && is_letter(word.front()) &&
         std::all_of(word.begin(), word.end(), [](char c) { return is_letter(c) || is_digit(c); }) &&
         find_function(word) == nullptr;
}

}  // namespace rft::plugins
