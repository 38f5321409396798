#define VALIJSON_USE_EXCEPTIONS 1  // a schema that it cannot read must not abort the process
#include "schema.h"

#include <map>
#include <stdexcept>
#include <utility>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_visitor.hpp>

#include "../common/pattern.h"

namespace {

using Adapter = valijson::adapters::NlohmannJsonAdapter;
using NameAdapter = valijson::adapters::StdStringAdapter;  // how `propertyNames` sees a name
using PatternText =
    std::basic_string<char, std::char_traits<char>, valijson::internal::CustomAllocator<char>>;

// Compiled once each; schemas that records bring must not fill the memory.
const re2::RE2& compiled(const std::string& pattern) {
  constexpr size_t kMaxPatterns = 1000;
  static std::map<std::string, std::unique_ptr<const re2::RE2>> patterns;
  if (patterns.size() > kMaxPatterns) patterns.clear();
  auto& entry = patterns[pattern];
  if (!entry) entry = compile_pattern(pattern);
  return *entry;
}
bool found(const std::string& pattern, const std::string& text) {
  return re2::RE2::PartialMatch(text, compiled(pattern));
}

// Formats that are checked; any other is passed over, as the standard allows.
const std::map<std::string, std::string>& format_patterns() {
  static const std::string day =
      R"(\d{4,}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|[12]\d)))";
  static const std::string time =
      R"((?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d))";
  static const std::map<std::string, std::string> patterns = {
      {"date", "^" + day + "$"}, {"time", "^" + time + "$"}, {"date-time", "^" + day + "[Tt]" + time + "$"}};
  return patterns;
}

}  // namespace

// valijson 1.0 matches with std::regex, which recurses for each character: a
// long text in a completion would overflow the stack, and some patterns never
// end. These specialisations take the place of all its uses.
namespace valijson {

template <>
bool ValidationVisitor<Adapter>::visit(const PatternConstraint& constraint) {
  if (!m_target.isString()) return true;
  if (found(constraint.getPattern<std::string::allocator_type>(), m_target.asString())) return true;
  if (m_results) m_results->pushError(m_context, "The text does not match its pattern.");
  return false;
}

template <>
bool ValidationVisitor<NameAdapter>::visit(const PatternConstraint& constraint) {
  return found(constraint.getPattern<std::string::allocator_type>(), m_target.asString());
}

template <>
bool ValidationVisitor<Adapter>::visit(const FormatConstraint& constraint) {
  const auto pattern = format_patterns().find(constraint.getFormat());
  if (!m_target.isString() || pattern == format_patterns().end()) return true;
  if (found(pattern->second, m_target.asString())) return true;
  if (m_results) m_results->pushError(m_context, "The text is no " + pattern->first + ".");
  return false;
}

template <>
bool ValidationVisitor<NameAdapter>::visit(const FormatConstraint& constraint) {
  const auto pattern = format_patterns().find(constraint.getFormat());
  return pattern == format_patterns().end() || found(pattern->second, m_target.asString());
}

template <>
template <>
bool ValidationVisitor<Adapter>::ValidatePatternPropertySubschemas::operator()(
    const PatternText& pattern, const Subschema* subschema) const {
  for (const auto member : m_object) {
    if (!found({pattern.begin(), pattern.end()}, member.first)) continue;
    m_propertiesMatched->insert(member.first);
    auto context = m_context;
    context.push_back("[" + member.first + "]");
    ValidationVisitor validator(member.second, context, m_strictTypes, m_results, m_regexesCache);
    if (!validator.validateSchema(*subschema)) *m_validated = false;
  }
  return true;
}

template <>
template <>
bool ValidationVisitor<NameAdapter>::ValidatePatternPropertySubschemas::operator()(const PatternText&,
                                                                                   const Subschema*) const {
  return true;  // a name has no properties
}

}  // namespace valijson

#include <valijson/validator.hpp>

namespace {

// Schemas apply to the same value where they refer to each other or stand side
// by side in one of these.
constexpr const char* kInPlace[] = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else"};

// Throws for a schema that refers to itself without going a step into the
// document: valijson would follow it until its stack ends. `path` holds the
// references that led here.
void check_references(const Json& root, const Json& schema, std::set<std::string> path) {
  if (schema.is_array())
    for (const Json& each : schema) check_references(root, each, path);
  if (!schema.is_object()) return;
  if (const auto reference = schema.find("$ref"); reference != schema.end() && reference->is_string()) {
    const auto pointer = reference->get<std::string>();
    if (pointer.empty() || pointer.front() != '#')
      throw std::invalid_argument("the schema refers to \"" + pointer + "\", which is not within it");
    if (!path.insert(pointer).second)
      throw std::invalid_argument("the schema's \"" + pointer + "\" refers to itself without end");
    const Json::json_pointer target(pointer.substr(1));
    if (!root.contains(target)) throw std::invalid_argument("the schema has no \"" + pointer + "\"");
    check_references(root, root[target], path);
  }
  for (const char* keyword : kInPlace)
    if (schema.contains(keyword)) check_references(root, schema[keyword], path);
}

// Calls `visit` with the schema and everything within it that may be one.
template <class Visit>
void for_each_schema(const Json& schema, const Visit& visit) {
  if (!schema.is_structured()) return;
  visit(schema);
  for (const Json& inner : schema) for_each_schema(inner, visit);
}

// Compiles each pattern of the schema, so that a wrong one is told at once and
// not by the first completion.
void check_patterns(const Json& schema) {
  if (const auto pattern = schema.find("pattern"); pattern != schema.end() && pattern->is_string())
    compiled(*pattern);
  if (const auto named = schema.find("patternProperties"); named != schema.end() && named->is_object())
    for (const auto& [pattern, subschema] : named->items()) compiled(pattern);
}

std::string field_of(const std::string& step) { return step.substr(1, step.size() - 2); }

}  // namespace

Json parse_document(std::string_view text) {
  bool too_deep = false;
  auto document = Json::parse(
      text,
      [&](int depth, Json::parse_event_t, Json&) {
        too_deep = too_deep || depth > kMaxDepth;
        return !too_deep;
      },
      /*allow_exceptions=*/false);
  return too_deep ? Json(Json::value_t::discarded) : document;
}

struct Schema::Parsed {
  Json text;
  valijson::Schema schema;
};

Schema::Schema(const Json& schema) : parsed_(std::make_unique<Parsed>()) {
  parsed_->text = schema;
  try {
    for_each_schema(schema, [&](const Json& inner) {
      if (!inner.is_object()) return;
      check_patterns(inner);
      check_references(schema, inner, {});
    });
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(Adapter(parsed_->text), parsed_->schema);
  } catch (const std::exception& error) {
    throw std::invalid_argument(std::string("the schema is refused: ") + error.what());
  }
}
Schema::~Schema() = default;
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;

Verdict Schema::check(const Json& document) const {
  Verdict verdict;
  valijson::ValidationResults errors;
  valijson::Validator validator;
  verdict.valid = validator.validate(parsed_->schema, Adapter(document), &errors);
  if (verdict.valid) return verdict;
  for (const auto& error : errors) {
    if (error.context.size() > 1 && document.is_object())
      verdict.wrong_fields.insert(field_of(error.context[1]));
    if (!verdict.error.empty()) continue;
    for (size_t i = 1; i < error.context.size(); ++i) verdict.error += error.context[i];
    verdict.error += (verdict.error.empty() ? "" : ": ") + error.description;
  }
  if (verdict.error.empty()) verdict.error = "The document is not as the schema says.";
  return verdict;
}

double Schema::right_share(const Json& document, const Verdict& verdict) const {
  const Json& schema = parsed_->text;
  const Json empty = Json::object();
  const Json& properties = schema.contains("properties") ? schema["properties"] : empty;
  std::set<std::string> required;
  for (const auto& name : schema.value("required", Json::array())) required.insert(name.get<std::string>());

  std::set<std::string> fields = required;
  for (const auto& [name, subschema] : properties.items())
    if (document.contains(name)) fields.insert(name);
  std::set<std::string> wrong = verdict.wrong_fields;
  for (const auto& name : required)
    if (!document.contains(name)) wrong.insert(name);
  const bool closed = schema.contains("additionalProperties") && schema["additionalProperties"] == false &&
                      !schema.contains("patternProperties");
  for (const auto& [name, value] : document.items())
    if (closed && !properties.contains(name)) wrong.insert(name);
  fields.insert(wrong.begin(), wrong.end());
  const double elsewhere = !verdict.valid && wrong.empty() ? 1 : 0;
  const double all = static_cast<double>(fields.size()) + elsewhere;
  return all == 0 ? 1 : 1 - (static_cast<double>(wrong.size()) + elsewhere) / all;
}
