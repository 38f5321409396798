// A JSON schema, draft 7, and what is wrong with a document by it. Validated by valijson, whose regular
// expressions are replaced by RE2's (see schema.cpp). The document must not be nested deeper than kMaxDepth.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

using Json = nlohmann::json;

inline constexpr int kMaxDepth = 100;

// The document, or a discarded value if the text is none or is nested too deeply.
Json parse_document(std::string_view text);

struct Verdict {
  bool valid = true;
  std::string error;                   // the first one, and where it is
  std::set<std::string> wrong_fields;  // those of the top level that an error lies in
};

class Schema {
 public:
  // Throws std::invalid_argument.
  explicit Schema(const Json& schema);
  ~Schema();
  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;

  Verdict check(const Json& document) const;

  // For a document that is an object: the share, from 0 to 1, of its fields that are right. What counts is
  // each of the schema's own properties that is there or required, and each other field that is not allowed.
  // An error that lies in none of them counts as one more.
  double right_share(const Json& document, const Verdict& verdict) const;

 private:
  struct Parsed;
  std::unique_ptr<Parsed> parsed_;
};
