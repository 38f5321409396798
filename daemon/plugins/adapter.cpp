#include "plugins/adapter.h"

#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "plugins/host_process.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxLinesPerFrame = 256;
constexpr size_t kMaxBytesPerFrame = size_t{8} << 20;
constexpr double kReadTimeoutS = 60;  // of a whole file that the adapter reads itself

// Lines on their way through the adapter.
struct Portion {
  std::vector<Json> records;
  std::vector<std::string> texts;
  std::vector<size_t> line_numbers;
  size_t bytes = 0;

  void add(Json&& record, size_t line_number) {
    texts.push_back(dump_json(record));
    bytes += texts.back().size();
    records.push_back(std::move(record));
    line_numbers.push_back(line_number);
  }
  bool full() const { return records.size() >= kMaxLinesPerFrame || bytes >= kMaxBytesPerFrame; }
};

// The messages that an adapter answered: its own fault if they are no such thing.
Json parse_messages(const std::string& text, const HostProcess& host, const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    throw PluginError(PluginFailure::protocol, host.title() + ": for " + where + " it answered " + what);
  };
  Json messages;
  try {
    messages = parse_json(text, "messages");
  } catch (const Error& error) {
    refuse(error.what());
  }
  if (!messages.is_array() || messages.empty()) refuse("messages that are no list");
  for (const auto& message : messages)
    if (!message.is_object() || !message.contains("role")) refuse("a message without a role");
  return messages;
}

// What a scorer sees of an example: the record that it was made of, unless it brings its own.
Json record_of(const wire::Example& example, const Json& whole, const HostProcess& host,
               const std::string& where) {
  if (!example.record) return whole;
  Json record = Json::parse(*example.record, nullptr, /*allow_exceptions=*/false);
  if (!record.is_object())
    throw PluginError(PluginFailure::protocol,
                      host.title() + ": for " + where + " it answered a record that is no JSON object");
  return record;
}

std::string canonical_line(wire::Example& example, Json&& record, const HostProcess& host,
                           const std::string& where) {
  Json line;
  if (example.is_messages)
    line["prompt"] = parse_messages(example.prompt, host, where);
  else
    line["prompt"] = std::move(example.prompt);
  if (example.output) line["output"] = std::move(*example.output);
  line["record"] = std::move(record);
  return dump_json(line) + "\n";
}

std::string ask_adapter(HostProcess& host, const AdapterOptions& options, const std::string& doing,
                        const Portion& portion) {
  try {
    return host.ask(wire::encode_convert(portion.texts), wire::FrameType::converted, options.timeout_s,
                    doing);
  } catch (const PluginError&) {
    std::string lines;
    for (const std::string& text : portion.texts) lines += text + "\n";
    if (!host.alive() && !options.failed_input.empty()) write_file_atomically(options.failed_input, lines);
    throw;
  }
}

// Hands a portion to the adapter and appends what comes back to `lines`. Answers how many those are.
size_t convert_portion(HostProcess& host, const AdapterOptions& options, const fs::path& input,
                       Portion& portion, std::string& lines) {
  if (portion.records.empty()) return 0;
  const std::string doing = "converting " + input.string();
  const std::string body = ask_adapter(host, options, doing, portion);
  auto conversions = wire::decode_converted(body);
  if (conversions.size() != portion.records.size())
    throw PluginError(PluginFailure::protocol,
                      host.title() + ": its process answered for another number of lines");
  size_t num_examples = 0;
  for (size_t i = 0; i < conversions.size(); ++i) {
    const std::string where = input.string() + ":" + std::to_string(portion.line_numbers[i]);
    if (conversions[i].refusal)
      throw Error(ErrorCode::invalid_argument, where + ": " + host.explained(*conversions[i].refusal));
    for (wire::Example& example : conversions[i].examples)
      lines += canonical_line(example, record_of(example, portion.records[i], host, where), host, where);
    num_examples += conversions[i].examples.size();
  }
  portion = Portion{};
  return num_examples;
}

size_t convert_lines(HostProcess& host, const AdapterOptions& options, const fs::path& input,
                     std::string& lines) {
  Portion portion;
  size_t num_examples = 0;
  for_each_json_line(input, [&](Json&& record, size_t line_number) {
    portion.add(std::move(record), line_number);
    if (portion.full()) num_examples += convert_portion(host, options, input, portion, lines);
  });
  return num_examples + convert_portion(host, options, input, portion, lines);
}

// The adapter reads the file itself, by its path in the job folder.
size_t read_records(HostProcess& host, const AdapterOptions& options, const fs::path& input,
                    std::string& lines) {
  size_t num_records = 0;
  for (std::string path = fs::relative(input, options.work_dir);; path.clear()) {
    const std::string body = host.ask(wire::encode_read(path), wire::FrameType::were_read, kReadTimeoutS,
                                      "reading " + input.string());
    wire::Conversion portion = wire::decode_were_read(body);
    if (portion.refusal) throw Error(ErrorCode::invalid_argument, host.explained(*portion.refusal));
    if (portion.examples.empty()) return num_records;
    // Its process holds a whole file's records: one that answers more than fits there answers for ever.
    if (options.memory_limit_bytes > 0 && lines.size() > options.memory_limit_bytes)
      throw PluginError(PluginFailure::protocol, host.title() + ": it answered more records of " +
                                                     input.string() + " than it can hold");
    for (wire::Example& example : portion.examples) {
      const std::string where = "record " + std::to_string(++num_records) + " of " + input.string();
      lines += canonical_line(example, record_of(example, Json(), host, where), host, where);
    }
  }
}

}  // namespace

DatasetAdapter::DatasetAdapter(AdapterOptions options)
    : options_(std::move(options)), host_(std::make_unique<HostProcess>(options_, "dataset-adapter")) {}

DatasetAdapter::~DatasetAdapter() = default;

bool DatasetAdapter::reads_files() const { return host_->plugin().reads_files; }

size_t DatasetAdapter::convert(const fs::path& input, const fs::path& output) {
  std::string lines;
  const size_t num_records = reads_files() ? read_records(*host_, options_, input, lines)
                                           : convert_lines(*host_, options_, input, lines);
  write_file_atomically(output, lines);
  return num_records;
}

size_t convert_dataset(const AdapterOptions& options, const fs::path& input, const fs::path& output) {
  return DatasetAdapter(options).convert(input, output);
}

}  // namespace rft::plugins
