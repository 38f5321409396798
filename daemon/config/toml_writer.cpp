#include <fmt/format.h>

#include <cmath>

#include "config/key_table.h"

namespace rft::config {
namespace {

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        else
          out += c;
    }
  }
  return out + '"';
}

// The shortest text that reads back as the same number; TOML tells floats from integers by the point.
std::string number(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string free_form(const Json& value) {
  if (value.is_object()) {
    std::vector<std::string> items;
    for (const auto& [key, item] : value.items()) items.push_back(toml_string(key) + " = " + free_form(item));
    return items.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(items, ", "));
  }
  if (value.is_array()) {
    std::vector<std::string> items;
    for (const auto& item : value) items.push_back(free_form(item));
    return fmt::format("[{}]", fmt::join(items, ", "));
  }
  if (value.is_string()) return toml_string(value.get<std::string>());
  if (value.is_number_float()) return number(value.get<double>());
  return dump_json(value);
}

struct ValueText {
  std::string operator()(const int64_t* value) const { return fmt::format("{}", *value); }
  std::string operator()(const double* value) const { return number(*value); }
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::string* value) const { return toml_string(*value); }
  std::string operator()(const std::filesystem::path* value) const { return toml_string(value->string()); }
  std::string operator()(const std::vector<std::string>* value) const {
    std::vector<std::string> items;
    for (const auto& item : *value) items.push_back(toml_string(item));
    return fmt::format("[{}]", fmt::join(items, ", "));
  }
  std::string operator()(const Json* value) const { return free_form(*value); }
};

struct TypeText {
  std::string operator()(const int64_t*) const { return "integer"; }
  std::string operator()(const double*) const { return "number"; }
  std::string operator()(const bool*) const { return "true or false"; }
  std::string operator()(const std::string*) const { return "string"; }
  std::string operator()(const std::filesystem::path*) const { return "path"; }
  std::string operator()(const std::vector<std::string>*) const { return "string or list of strings"; }
  std::string operator()(const Json*) const { return "table"; }
};

// Bounds read better as integers where they are: "≥ 1", not "≥ 1.0".
std::string bound(double value) { return fmt::format("{}", value); }

}  // namespace

std::string value_text(const Member& member) { return std::visit(ValueText{}, member); }

std::string range_text(const Key& key) {
  const Range& range = key.range;
  if (!range.choices.empty()) {
    std::vector<std::string> items;
    for (const auto choice : range.choices) items.push_back(fmt::format("\"{}\"", choice));
    return fmt::format("{}", fmt::join(items, " or "));
  }
  const std::string type = std::visit(TypeText{}, key.member);
  const bool has_min = std::isfinite(range.min);
  const bool has_max = std::isfinite(range.max);
  if (has_min && has_max)
    return fmt::format("{} in {}{}, {}{}", type, range.min_excluded ? '(' : '[', bound(range.min),
                       bound(range.max), range.max_excluded ? ')' : ']');
  if (has_min) return fmt::format("{} {} {}", type, range.min_excluded ? ">" : "≥", bound(range.min));
  if (has_max) return fmt::format("{} {} {}", type, range.max_excluded ? "<" : "≤", bound(range.max));
  return type;
}

std::string write_toml(const std::vector<Key>& keys) {
  std::string out;
  std::string_view section;
  for (const auto& key : keys) {
    if (key.section != section) {
      section = key.section;
      out += fmt::format("\n[{}]\n", section);
    }
    out += fmt::format("{} = {}\n", key.name, value_text(key.member));
  }
  return out;
}

std::string markdown_tables(const std::vector<Key>& keys) {
  std::string out;
  const std::string_view* section = nullptr;
  for (const auto& key : keys) {
    if (section == nullptr || *section != key.section) {
      section = &key.section;
      out += fmt::format("{}{}\n\n| key | type and range | default | meaning |\n|---|---|---|---|\n",
                         out.empty() ? "### " : "\n### ",
                         key.section.empty() ? "At the top" : fmt::format("[{}]", key.section));
    }
    out += fmt::format("| `{}` | {} | {} | {} |\n", key.name, range_text(key),
                       key.required ? "required" : fmt::format("`{}`", value_text(key.member)), key.meaning);
  }
  return out;
}

}  // namespace rft::config
