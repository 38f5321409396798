#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/nearest.h"
#include "config/key_table.h"

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace rft::config {
namespace {

constexpr size_t kMaxBytes = 1 << 20;

[[noreturn]] void fail(const std::string& where, const std::string& message, std::string_view field = {}) {
  throw Error(ErrorCode::invalid_argument, where + message, std::string(field));
}

std::string full_name(std::string_view section, std::string_view name) {
  if (section.empty()) return std::string(name);
  return fmt::format("[{}] {}", section, name);
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

// A free-form value, as a scorer's options have them.
Json to_json(const toml::node& node, const std::string& where) {
  if (const auto* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = to_json(value, where);
    return object;
  }
  if (const auto* array = node.as_array()) {
    Json list = Json::array();
    for (const auto& value : *array) list.push_back(to_json(value, where));
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* number = node.as_floating_point(); number && std::isfinite(number->get()))
    return number->get();
  if (const auto* boolean = node.as_boolean()) return boolean->get();
  fail(where, fmt::format("{} cannot be an option; write it as a string", kind_of(node)));
}

// The text itself of its line `number`, from 1 on.
std::string line_of(const std::string& text, size_t number) {
  std::istringstream lines(text);
  std::string line;
  for (size_t i = 0; i < number; ++i) std::getline(lines, line);
  return line;
}

class Reader {
 public:
  Reader(const std::filesystem::path& file, const std::vector<Key>& keys,
         const std::vector<RefusedKey>& refused)
      : keys_(keys), refused_(refused) {
    lines_.file = file;
  }

  KeyLines read(const std::string& text) {
    const toml::table root = parse(text);
    read_section("", root);
    for (const auto& key : keys_)
      if (key.required && !lines_.given(key.section, key.name)) fail_missing(key);
    return std::move(lines_);
  }

 private:
  toml::table parse(const std::string& text) const {
    try {
      return toml::parse(text, lines_.file.string());
    } catch (const toml::parse_error& error) {
      const size_t line = error.source().begin.line;
      fail(lines_.file.empty() ? line_of(text, line) + ": " : where(line),
           fmt::format("not valid TOML: {}; {}", error.description(),
                       error.description().find("redefine") != std::string_view::npos
                           ? "it stands above already: put both together in one place"
                           : "look for a missing quote, bracket or '=' there"));
    }
  }

  std::string where(size_t line) const {
    return lines_.file.empty() ? "" : fmt::format("{}:{}: ", lines_.file.string(), line);
  }
  std::string where(const toml::node& node) const { return where(node.source().begin.line); }

  void read_section(std::string_view section, const toml::table& table) {
    for (const auto& [toml_key, node] : table) {
      const std::string_view name = toml_key.str();
      const size_t line = toml_key.source().begin.line;
      check_refused(section, name, line);
      if (const Key* key = find(section, name)) {
        lines_.add(section, name, line);
        assign(*key, node);
      } else if (const std::string inner_name = inner_section(section, name); is_section(inner_name)) {
        const auto* inner = node.as_table();
        if (inner == nullptr)
          fail(where(node),
               fmt::format("{} is {}; write it as a section [{}]", full_name(section, name), kind_of(node),
                           inner_name),
               name);
        lines_.add(inner_name, "", line);
        read_section(inner_name, *inner);
      } else {
        fail_unknown(section, name, line, node.is_table());
      }
    }
  }

  void check_refused(std::string_view section, std::string_view name, size_t line) const {
    for (const auto& key : refused_)
      if (key.section == section && key.name == name)
        fail(where(line), fmt::format("{} is refused: {}", full_name(section, name), key.reason), name);
  }

  const Key* find(std::string_view section, std::string_view name) const {
    const auto found = std::find_if(keys_.begin(), keys_.end(), [&](const Key& key) {
      return key.section == section && key.name == name;
    });
    return found == keys_.end() ? nullptr : &*found;
  }

  // What TOML calls the table `name` of a section: [model.lora].
  static std::string inner_section(std::string_view section, std::string_view name) {
    return section.empty() ? std::string(name) : fmt::format("{}.{}", section, name);
  }

  bool is_section(std::string_view name) const {
    return !name.empty() &&
           std::any_of(keys_.begin(), keys_.end(), [&](const Key& key) { return key.section == name; });
  }

  std::vector<std::string> section_names() const {
    std::vector<std::string> names;
    for (const auto& key : keys_)
      if (!key.section.empty() && (names.empty() || names.back() != key.section))
        names.emplace_back(key.section);
    return names;
  }

  // Of one section, or of all of them.
  std::vector<std::string> key_names(std::optional<std::string_view> section) const {
    std::vector<std::string> names;
    for (const auto& key : keys_)
      if (!section || key.section == *section) names.emplace_back(key.name);
    return names;
  }

  [[noreturn]] void fail_unknown(std::string_view section, std::string_view name, size_t line,
                                 bool is_table) const {
    if (section.empty() && is_table) {
      const auto names = section_names();
      const auto near = nearest(name, names);
      fail(where(line),
           fmt::format("unknown section [{}]; {}", name,
                       near ? fmt::format("did you mean [{}]?", *near)
                            : fmt::format("the sections are {}", fmt::join(names, ", "))),
           name);
    }
    fail(where(line), fmt::format("unknown key {}; {}", full_name(section, name), key_advice(section, name)),
         name);
  }

  std::string key_advice(std::string_view section, std::string_view name) const {
    for (const auto& key : keys_)
      if (key.name == name)
        return "it belongs " + (key.section.empty() ? "at the top" : fmt::format("in [{}]", key.section));
    const auto names = key_names(section);
    if (const auto near = nearest(name, names)) return fmt::format("did you mean {}?", *near);
    if (const auto near = nearest(name, key_names(std::nullopt)))
      for (const auto& key : keys_)
        if (key.name == *near) return fmt::format("did you mean {}?", full_name(key.section, *near));
    if (names.empty())
      return fmt::format("every key stands in a section: [{}]", fmt::join(section_names(), "], ["));
    return fmt::format("the keys here are {}", fmt::join(names, ", "));
  }

  [[noreturn]] void fail_missing(const Key& key) const {
    const std::string mend = key.section.empty()
                                 ? fmt::format("add {} = …", key.name)
                                 : fmt::format("add {} = … under [{}]", key.name, key.section);
    fail(lines_.where(key.section, key.name),
         fmt::format("{} is missing; {} ({})", full_name(key.section, key.name), mend, key.meaning),
         key.name);
  }

  [[noreturn]] void fail_type(const Key& key, const toml::node& node) const {
    fail(where(node),
         fmt::format("{} is {}; give {}", full_name(key.section, key.name), kind_of(node), range_text(key)),
         key.name);
  }

  [[noreturn]] void fail_range(const Key& key, const toml::node& node, const std::string& value) const {
    fail(where(node),
         fmt::format("{} = {} is out of range; give {}", full_name(key.section, key.name), value,
                     range_text(key)),
         key.name);
  }

  void check_number(const Key& key, const toml::node& node, double value) const {
    const Range& range = key.range;
    const bool low = range.min_excluded ? !(value > range.min) : !(value >= range.min);
    const bool high = range.max_excluded ? !(value < range.max) : !(value <= range.max);
    if (low || high || !std::isfinite(value))
      fail_range(key, node,
                 node.is_integer() ? fmt::format("{}", node.as_integer()->get()) : fmt::format("{}", value));
  }

  void assign(const Key& key, const toml::node& node) const {
    std::visit([&](auto* member) { assign_to(*member, key, node); }, key.member);
  }

  void assign_to(int64_t& member, const Key& key, const toml::node& node) const {
    const auto* integer = node.as_integer();
    if (integer == nullptr) fail_type(key, node);
    check_number(key, node, static_cast<double>(integer->get()));
    member = integer->get();
  }

  void assign_to(double& member, const Key& key, const toml::node& node) const {
    if (!node.is_number()) fail_type(key, node);
    const double value = *node.value<double>();
    check_number(key, node, value);
    member = value;
  }

  void assign_to(bool& member, const Key& key, const toml::node& node) const {
    if (!node.is_boolean()) fail_type(key, node);
    member = node.as_boolean()->get();
  }

  void assign_to(std::string& member, const Key& key, const toml::node& node) const {
    if (!node.is_string()) fail_type(key, node);
    const std::string& value = node.as_string()->get();
    const auto& choices = key.range.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), value) == choices.end()) {
      const auto near = nearest(value, std::vector<std::string>(choices.begin(), choices.end()));
      fail(where(node),
           fmt::format("{} = \"{}\" is not known; {}", full_name(key.section, key.name), value,
                       near ? fmt::format("did you mean \"{}\"?", *near) : "give " + range_text(key)),
           key.name);
    }
    if (key.required && value.empty())
      fail(where(node), fmt::format("{} is empty; give {}", full_name(key.section, key.name), key.meaning),
           key.name);
    member = value;
  }

  void assign_to(std::filesystem::path& member, const Key& key, const toml::node& node) const {
    std::string text;
    assign_to(text, key, node);
    member = text;
  }

  void assign_to(std::vector<std::string>& member, const Key& key, const toml::node& node) const {
    if (node.is_string()) {
      member = {node.as_string()->get()};
      return;
    }
    const auto* array = node.as_array();
    if (array == nullptr) fail_type(key, node);
    member.clear();
    for (const auto& item : *array) {
      if (!item.is_string()) fail_type(key, item);
      member.push_back(item.as_string()->get());
    }
  }

  void assign_to(Json& member, const Key& key, const toml::node& node) const {
    if (!node.is_table()) fail_type(key, node);
    member = to_json(node, where(node));
  }

  const std::vector<Key>& keys_;
  const std::vector<RefusedKey>& refused_;
  KeyLines lines_;
};

}  // namespace

void KeyLines::add(std::string_view section, std::string_view name, size_t line) {
  lines_[fmt::format("{}.{}", section, name)] = line;
}

bool KeyLines::given(std::string_view section, std::string_view name) const {
  return lines_.find(fmt::format("{}.{}", section, name)) != lines_.end();
}

std::string KeyLines::where(std::string_view section, std::string_view name) const {
  if (file.empty()) return "";
  for (const auto& key : {fmt::format("{}.{}", section, name), fmt::format("{}.", section)})
    if (const auto found = lines_.find(key); found != lines_.end())
      return fmt::format("{}:{}: ", file.string(), found->second);
  return file.string() + ": ";
}

KeyLines read_toml(const std::filesystem::path& file, const std::vector<Key>& keys,
                   const std::vector<RefusedKey>& refused) {
  std::error_code unknown;  // of what is no file: reading it says what it is
  if (const auto size = std::filesystem::file_size(file, unknown); !unknown && size > kMaxBytes)
    fail(file.string() + ": ", "larger than 1 MiB; this is no configuration");
  return Reader(file, keys, refused).read(read_file(file));
}

KeyLines read_toml_text(const std::string& text, const std::vector<Key>& keys,
                        const std::vector<RefusedKey>& refused) {
  return Reader({}, keys, refused).read(text);
}

}  // namespace rft::config
