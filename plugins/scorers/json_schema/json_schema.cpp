// Scores a completion that is meant to be JSON: by a schema, or field by field. README.md has the options.
#include <optional>
#include <rft/scorer.hpp>
#include <stdexcept>
#include <string>

#include "../common/options.h"
#include "schema.h"

namespace {

// A record's or the options' JSON: a value, or a text that holds one.
Json value_at(const rft::Fields& fields, const std::string& key) {
  const std::string_view raw = *fields.raw(key);
  const std::optional<std::string> text = raw.front() == '"' ? fields.text(key) : std::nullopt;
  Json value = parse_document(text ? std::string_view(*text) : raw);
  if (value.is_discarded())
    throw std::invalid_argument("\"" + key + "\" is no JSON, or is nested too deeply");
  return value;
}

// What stands between the first two lines of ```, without the language's name; the whole text if there is
// none.
std::string_view first_fenced_block(std::string_view text) {
  constexpr std::string_view kFence = "```";
  const size_t fence = text.find(kFence);
  const size_t line_end = fence == std::string_view::npos ? fence : text.find('\n', fence);
  if (line_end == std::string_view::npos) return text;
  const std::string_view block = text.substr(line_end + 1);
  return block.substr(0, block.find(kFence));
}

struct Share {
  double right = 0, all = 0;
};
// Adds the fields of `expected`, those of nested objects one by one, and the ones that `found` has beyond
// them.
void compare(const Json& expected, const Json* found, Share& share) {
  if (!expected.is_object() || expected.empty()) {
    ++share.all;
    share.right += found != nullptr && *found == expected;
    return;
  }
  const bool same_kind = found != nullptr && found->is_object();
  for (const auto& [key, value] : expected.items())
    compare(value, same_kind && found->contains(key) ? &(*found)[key] : nullptr, share);
  if (same_kind)
    for (const auto& [key, value] : found->items()) share.all += !expected.contains(key);
}

}  // namespace

class JsonSchema : public rft::Scorer {
 public:
  explicit JsonSchema(std::string_view text) {
    const rft::Fields fields(text);
    fields.allow_only({"schema", "schema_key", "score", "target", "fenced"});
    schema_key_ = fields.text("schema_key");
    const bool has_schema = fields.raw("schema").value_or("null") != "null";
    if (has_schema == schema_key_.has_value())
      throw std::invalid_argument("either `schema` or `schema_key` is needed");
    if (has_schema) schema_.emplace(schema_at(fields, "schema"));
    by_fields_ = options::choice(fields, "score", {"valid", "fields"}) == "fields";
    target_ = fields.text("target");
    if (target_ && !by_fields_) throw std::invalid_argument("`target` needs \"score\" = \"fields\"");
    fenced_ = fields.boolean("fenced").value_or(false);
  }

  void score(rft::Batch& batch) override {
    for (auto& episode : batch) {
      const rft::Fields record = episode.fields();
      if (!schema_key_) {
        score_episode(episode, record, *schema_);
        continue;
      }
      if (!record.has(*schema_key_)) options::no_such_key(*schema_key_, "schema_key");
      score_episode(episode, record, schema_at(record, *schema_key_));
    }
  }

 private:
  static Schema schema_at(const rft::Fields& fields, const std::string& key) {
    const Json schema = value_at(fields, key);
    if (!schema.is_object()) throw std::invalid_argument("\"" + key + "\" must be a JSON schema, an object");
    return Schema(schema);
  }

  void score_episode(rft::Episode& episode, const rft::Fields& record, const Schema& schema) const {
    if (target_ && !record.has(*target_)) options::no_such_key(*target_);
    const std::string_view text = episode.completion();
    const Json document = parse_document(fenced_ ? first_fenced_block(text) : text);
    if (document.is_discarded()) {
      episode.set_score(0);
      episode.set_valid(false);
      episode.set_reason("no JSON");
      return;
    }
    const Verdict verdict = schema.check(document);
    episode.set_valid(verdict.valid);
    if (!verdict.valid) episode.set_reason(verdict.error);
    episode.set_score(by_fields_ ? share_of(document, record, schema, verdict) : verdict.valid ? 1 : 0);
  }

  double share_of(const Json& document, const rft::Fields& record, const Schema& schema,
                  const Verdict& verdict) const {
    if (!target_) return document.is_object() ? schema.right_share(document, verdict) : verdict.valid ? 1 : 0;
    Share share;
    compare(value_at(record, *target_), &document, share);
    return share.right / share.all;
  }

  std::optional<Schema> schema_;  // none where each record brings its own
  std::optional<std::string> schema_key_, target_;
  bool by_fields_ = false, fenced_ = false;
};

RFT_SCORER(JsonSchema, "json_schema", "1.0.0")
