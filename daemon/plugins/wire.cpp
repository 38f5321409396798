#include "plugins/wire.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/cut_text.h"

namespace rft::plugins::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they lie in memory");

constexpr size_t kMinTextBytes = 5;  // length and NUL
constexpr size_t kMinEpisodeBytes = 4 * kMinTextBytes + 3 * 8;

constexpr size_t kLeastBytes = 256;  // of a frame's memory

template <class T>
T load(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

[[noreturn]] void broken(const char* what) {
  throw PluginError(PluginFailure::protocol, std::string("its process answered a broken frame: ") + what);
}

void write_episodes(Writer& writer, std::span<const ScoreRequest> requests) {
  writer.u32(static_cast<uint32_t>(requests.size()));
  for (const auto& request : requests) {
    writer.text(request.prompt);
    writer.text(request.completion);
    writer.text(request.record_json);
    writer.text(request.finish_reason);
    writer.i64(request.prompt_tokens);
    writer.i64(request.completion_tokens);
    writer.f64(request.generation_s);
  }
}

std::vector<EpisodeView> read_episodes(Reader& reader) {
  std::vector<EpisodeView> episodes(reader.count(kMinEpisodeBytes));
  for (auto& episode : episodes) {
    episode.prompt = reader.text();
    episode.completion = reader.text();
    episode.record = reader.text();
    episode.finish_reason = reader.text();
    episode.prompt_tokens = reader.i64();
    episode.completion_tokens = reader.i64();
    episode.generation_s = reader.f64();
  }
  return episodes;
}

// Cut before it is sent, so that a frame holds a batch of them, and again where it comes from a process that
// may not have.
std::string cut_answer(std::string_view text) { return cut_text(text, kMaxAnswerTextBytes); }

void write_answer(Writer& writer, std::string_view text) {
  writer.text(text.size() <= kMaxAnswerTextBytes ? text : cut_answer(text));
}

void write_result(Writer& writer, const ScoreResult& result) {
  writer.u8(result.score ? 1 : 0);
  writer.f64(result.score.value_or(0));
  writer.u8(result.valid ? 1 : 0);
  write_answer(writer, result.error);
  write_answer(writer, result.reason);
  writer.u32(static_cast<uint32_t>(result.sub_scores.size()));
  for (const auto& [name, value] : result.sub_scores) {
    write_answer(writer, name);
    writer.f64(value);
  }
}

// Into a new result: most have no texts, and to move one costs more than to read it.
void read_result(Reader& reader, ScoreResult& result) {
  const bool has_score = reader.u8() != 0;
  const double score = reader.f64();
  if (has_score) result.score = score;
  result.valid = reader.u8() != 0;
  for (std::string* text : {&result.error, &result.reason})
    if (const auto answer = reader.text(); !answer.empty()) *text = cut_answer(answer);
  result.sub_scores.resize(reader.count(kMinTextBytes + 8));
  for (auto& [name, value] : result.sub_scores) {
    name = cut_answer(reader.text());
    value = reader.f64();
  }
}

constexpr size_t kMinResultBytes = 1 + 8 + 1 + 2 * kMinTextBytes + 4;

}  // namespace

Writer::Writer(FrameType type, size_t expected_bytes)
    : bytes_(std::max(kLeastBytes, kHeaderBytes + expected_bytes), '\0') {
  u32(0);  // see finish()
  u8(static_cast<uint8_t>(type));
}
char* Writer::extend(size_t size) {
  if (size > bytes_.size() - used_) bytes_.resize(std::max(2 * bytes_.size(), used_ + size));
  char* const at = bytes_.data() + used_;
  used_ += size;
  return at;
}
void Writer::u8(uint8_t value) { std::memcpy(extend(sizeof value), &value, sizeof value); }
void Writer::u32(uint32_t value) { std::memcpy(extend(sizeof value), &value, sizeof value); }
void Writer::i64(int64_t value) { std::memcpy(extend(sizeof value), &value, sizeof value); }
void Writer::f64(double value) { std::memcpy(extend(sizeof value), &value, sizeof value); }
void Writer::text(std::string_view value) {
  if (used_ + value.size() > kMaxFrameBytes)
    throw Error(ErrorCode::resource,
                "a batch for a plugin is larger than " + std::to_string(kMaxFrameBytes >> 20) + " MiB");
  const auto size = static_cast<uint32_t>(value.size());
  char* const at = extend(sizeof size + value.size() + 1);
  std::memcpy(at, &size, sizeof size);
  if (!value.empty()) std::memcpy(at + sizeof size, value.data(), value.size());
  at[sizeof size + value.size()] = '\0';
}
std::string Writer::finish() && {
  const auto size = static_cast<uint32_t>(used_ - sizeof(uint32_t));
  std::memcpy(bytes_.data(), &size, sizeof size);
  bytes_.resize(used_);
  return std::move(bytes_);
}

std::string_view Reader::take(size_t size) {
  if (size > rest_.size()) broken("it ends too early");
  const auto taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}
uint8_t Reader::u8() { return load<uint8_t>(take(1)); }
uint32_t Reader::u32() { return load<uint32_t>(take(4)); }
int64_t Reader::i64() { return load<int64_t>(take(8)); }
double Reader::f64() { return load<double>(take(8)); }
std::string_view Reader::text() {
  const size_t size = u32();
  const auto with_nul = take(size + 1);
  if (with_nul.back() != '\0') broken("a text without its end");
  return with_nul.substr(0, size);
}
size_t Reader::count(size_t bytes_each) {
  const size_t count = u32();
  if (count > rest_.size() / bytes_each) broken("more items announced than there are bytes");
  return count;
}
void Reader::end() const {
  if (!rest_.empty()) broken("bytes after its end");
}

Header read_header(std::string_view bytes) {
  const size_t size = load<uint32_t>(bytes);
  const auto type = load<uint8_t>(bytes.substr(4));
  if (size == 0 || size > kMaxFrameBytes) broken("an impossible length");
  if (type < static_cast<uint8_t>(FrameType::open) || type > static_cast<uint8_t>(FrameType::failed))
    broken("an unknown type");
  return {size - 1, static_cast<FrameType>(type)};
}

std::string encode(const Open& open) {
  Writer writer(FrameType::open);
  writer.text(open.role);
  writer.text(open.implementation);
  writer.text(open.path);
  writer.text(open.options);
  writer.text(open.python);
  writer.u32(static_cast<uint32_t>(open.readable.size()));
  for (const auto& path : open.readable) writer.text(path);
  writer.text(open.secrets);
  writer.text(open.state_file);
  writer.i64(open.num_hosts);
  writer.f64(open.timeout_s);
  writer.i64(static_cast<int64_t>(open.memory_limit_bytes));
  writer.u8(open.allow_network ? 1 : 0);
  writer.u8(open.trusted ? 1 : 0);
  return std::move(writer).finish();
}

Open decode_open(std::string_view body) {
  Reader reader(body);
  Open open;
  open.role = reader.text();
  open.implementation = reader.text();
  open.path = reader.text();
  open.options = reader.text();
  open.python = reader.text();
  open.readable.resize(reader.count(kMinTextBytes));
  for (auto& path : open.readable) path = reader.text();
  open.secrets = reader.text();
  open.state_file = reader.text();
  open.num_hosts = reader.i64();
  open.timeout_s = reader.f64();
  open.memory_limit_bytes = static_cast<uint64_t>(reader.i64());
  open.allow_network = reader.u8() != 0;
  open.trusted = reader.u8() != 0;
  reader.end();
  return open;
}

std::string encode(const Opened& opened) {
  Writer writer(FrameType::opened);
  writer.text(opened.name);
  writer.text(opened.version);
  writer.u8(opened.has_summary ? 1 : 0);
  writer.u8(opened.reads_files ? 1 : 0);
  return std::move(writer).finish();
}

Opened decode_opened(std::string_view body) {
  Reader reader(body);
  Opened opened;
  opened.name = reader.text();
  opened.version = reader.text();
  opened.has_summary = reader.u8() != 0;
  opened.reads_files = reader.u8() != 0;
  reader.end();
  return opened;
}

std::string encode(const Failed& failed) {
  Writer writer(FrameType::failed);
  writer.u8(static_cast<uint8_t>(failed.kind));
  writer.text(cut_answer(failed.text));
  return std::move(writer).finish();
}

Failed decode_failed(std::string_view body) {
  Reader reader(body);
  const uint8_t kind = reader.u8();
  if (kind > static_cast<uint8_t>(PluginFailure::protocol)) broken("an unknown kind of failure");
  Failed failed{static_cast<PluginFailure>(kind), cut_answer(reader.text())};
  reader.end();
  return failed;
}

std::string encode_score(std::span<const ScoreRequest> requests) {
  size_t bytes = sizeof(uint32_t);
  for (const auto& request : requests)
    bytes += kMinEpisodeBytes + request.prompt.size() + request.completion.size() +
             request.record_json.size() + request.finish_reason.size();
  Writer writer(FrameType::score, bytes);
  write_episodes(writer, requests);
  return std::move(writer).finish();
}

std::vector<EpisodeView> decode_score(std::string_view body) {
  Reader reader(body);
  auto episodes = read_episodes(reader);
  reader.end();
  return episodes;
}

std::string encode_scored(std::span<const EpisodeResult> results) {
  Writer writer(FrameType::scored, sizeof(uint32_t) + results.size() * (1 + kMinResultBytes));
  writer.u32(static_cast<uint32_t>(results.size()));
  for (const auto& [outcome, result] : results) {
    writer.u8(static_cast<uint8_t>(outcome));
    write_result(writer, result);
  }
  return std::move(writer).finish();
}

std::vector<EpisodeResult> decode_scored(std::string_view body) {
  Reader reader(body);
  std::vector<EpisodeResult> results(reader.count(1 + kMinResultBytes));
  for (auto& [outcome, result] : results) {
    const uint8_t value = reader.u8();
    if (value > static_cast<uint8_t>(Outcome::not_finite)) broken("an unknown outcome");
    outcome = static_cast<Outcome>(value);
    read_result(reader, result);
    if (result.score.has_value() != (outcome == Outcome::scored)) broken("an outcome without its score");
  }
  reader.end();
  return results;
}

std::string encode_summarize(std::span<const ScoreRequest> requests, std::span<const ScoreResult> results) {
  Writer writer(FrameType::summarize);
  write_episodes(writer, requests);
  for (const auto& result : results) write_result(writer, result);
  return std::move(writer).finish();
}

SummarizeView decode_summarize(std::string_view body) {
  Reader reader(body);
  SummarizeView view{read_episodes(reader), {}};
  view.results.resize(view.episodes.size());
  for (ScoreResult& result : view.results) read_result(reader, result);
  reader.end();
  return view;
}

std::string encode_summarized(const std::map<std::string, double>& numbers) {
  Writer writer(FrameType::summarized);
  writer.u32(static_cast<uint32_t>(numbers.size()));
  for (const auto& [name, value] : numbers) {
    writer.text(cut_answer(name));
    writer.f64(value);
  }
  return std::move(writer).finish();
}

std::map<std::string, double> decode_summarized(std::string_view body) {
  Reader reader(body);
  std::map<std::string, double> numbers;
  for (size_t left = reader.count(kMinTextBytes + 8); left > 0; --left) {
    std::string name = cut_answer(reader.text());
    numbers[std::move(name)] = reader.f64();
  }
  reader.end();
  return numbers;
}

std::string encode_convert(std::span<const std::string> records) {
  Writer writer(FrameType::convert);
  writer.u32(static_cast<uint32_t>(records.size()));
  for (const auto& record : records) writer.text(record);
  return std::move(writer).finish();
}

std::vector<std::string_view> decode_convert(std::string_view body) {
  Reader reader(body);
  std::vector<std::string_view> records(reader.count(kMinTextBytes));
  for (auto& record : records) record = reader.text();
  reader.end();
  return records;
}

namespace {

void write_optional(Writer& writer, const std::optional<std::string>& text) {
  writer.u8(text ? 1 : 0);
  writer.text(text.value_or(""));
}

std::optional<std::string> read_optional(Reader& reader) {
  const bool is_there = reader.u8() != 0;
  const auto text = reader.text();
  return is_there ? std::optional<std::string>(text) : std::nullopt;
}

void write_conversion(Writer& writer, const Conversion& conversion) {
  writer.u8(conversion.refusal ? 1 : 0);
  writer.text(cut_answer(conversion.refusal.value_or("")));
  writer.u32(static_cast<uint32_t>(conversion.examples.size()));
  for (const auto& example : conversion.examples) {
    writer.text(example.prompt);
    writer.u8(example.is_messages ? 1 : 0);
    write_optional(writer, example.output);
    write_optional(writer, example.record);
  }
}

Conversion read_conversion(Reader& reader) {
  Conversion conversion;
  const bool refused = reader.u8() != 0;
  std::string refusal = cut_answer(reader.text());
  if (refused) conversion.refusal = std::move(refusal);
  conversion.examples.resize(reader.count(3 + 3 * kMinTextBytes));
  for (auto& example : conversion.examples) {
    example.prompt = reader.text();
    example.is_messages = reader.u8() != 0;
    example.output = read_optional(reader);
    example.record = read_optional(reader);
  }
  return conversion;
}

}  // namespace

std::string encode_converted(std::span<const Conversion> conversions) {
  Writer writer(FrameType::converted);
  writer.u32(static_cast<uint32_t>(conversions.size()));
  for (const auto& conversion : conversions) write_conversion(writer, conversion);
  return std::move(writer).finish();
}

std::vector<Conversion> decode_converted(std::string_view body) {
  Reader reader(body);
  std::vector<Conversion> conversions(reader.count(1 + kMinTextBytes + 4));
  for (auto& conversion : conversions) conversion = read_conversion(reader);
  reader.end();
  return conversions;
}

std::string encode_read(std::string_view path) {
  Writer writer(FrameType::read);
  writer.text(path);
  return std::move(writer).finish();
}

std::string_view decode_read(std::string_view body) {
  Reader reader(body);
  const auto path = reader.text();
  reader.end();
  return path;
}

std::string encode_were_read(const Conversion& portion) {
  Writer writer(FrameType::were_read);
  write_conversion(writer, portion);
  return std::move(writer).finish();
}

Conversion decode_were_read(std::string_view body) {
  Reader reader(body);
  auto portion = read_conversion(reader);
  reader.end();
  return portion;
}

}  // namespace rft::plugins::wire
