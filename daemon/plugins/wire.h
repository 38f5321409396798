// What the daemon's side and rft-plugin-host say to each other over a socketpair. Private to one build of the
// project: both ends are always the same version, so it has no version of its own.
//
// A frame is a 32-bit length of what follows, a type byte, and the body. Numbers are little-endian; a text is
// a 32-bit length, its bytes, and a NUL that is not counted (the host hands such texts to a plugin in place).
// The client asks, the host answers each request with one frame: the expected one or `failed`. A process
// that sleeps takes some 20 µs to wake where its core sleeps too, half as long as all the rest of a large
// batch: so with a shared object each of the two looks for the other's next frame for a moment (kAwakeNs)
// before it sleeps, and leaves the core to whoever else wants it.
//
// The host's side runs a plugin's code, so the client decodes its frames as hostile: every length is checked
// against what is there before anything is allocated.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/plugin_error.h"
#include "plugins/scorer_host.h"

namespace rft::plugins::wire {

enum class FrameType : uint8_t {
  open = 1,
  opened,
  score,
  scored,
  summarize,
  summarized,
  convert,
  converted,
  read,
  were_read,
  failed
};

inline constexpr size_t kHeaderBytes = 5;
inline constexpr int64_t kAwakeNs = 100'000;
inline constexpr size_t kMaxFrameBytes = size_t{256} << 20;
// What is kept of each text that a plugin answers, but for an adapter's prompts and outputs.
inline constexpr size_t kMaxAnswerTextBytes = 4096;
// The descriptor on which rft-plugin-host finds its end of the socketpair.
inline constexpr int kHostSocket = 3;

// Builds one frame. Throws Error(resource) when it outgrows kMaxFrameBytes.
class Writer {
 public:
  // `expected_bytes` spares it from growing step by step.
  explicit Writer(FrameType type, size_t expected_bytes = 0);
  void u8(uint8_t value);
  void u32(uint32_t value);
  void i64(int64_t value);
  void f64(double value);
  void text(std::string_view value);
  // The whole frame, its length filled in.
  std::string finish() &&;

 private:
  char* extend(size_t size);
  std::string bytes_;  // its end is room
  size_t used_ = 0;
};

// Reads a frame's body. Throws PluginError(protocol) when it ends too early; views are into the body.
class Reader {
 public:
  explicit Reader(std::string_view body) : rest_(body) {}
  uint8_t u8();
  uint32_t u32();
  int64_t i64();
  double f64();
  std::string_view text();
  // A count of items that take at least `bytes_each` bytes each.
  size_t count(size_t bytes_each);
  // Throws unless everything was read.
  void end() const;

 private:
  std::string_view take(size_t size);
  std::string_view rest_;
};

struct Header {
  size_t body_bytes;
  FrameType type;
};
// Throws PluginError(protocol) for a length above the limit or an unknown type.
Header read_header(std::string_view bytes);

struct Open {
  std::string role;            // the kind of plugin wanted: "scorer" or "dataset-adapter"
  std::string implementation;  // shared_object | python | command
  std::string path, options, python;
  std::vector<std::string> readable;  // files and folders, of a plugin that is not trusted
  std::string secrets;                // JSON: those that it is granted, by name
  std::string state_file;             // empty: none
  int64_t num_hosts = 1;
  double timeout_s = 0;  // deadline of one batch
  uint64_t memory_limit_bytes = 0;
  bool allow_network = false;
  bool trusted = false;
};
struct Opened {
  std::string name, version;
  bool has_summary = false;
  bool reads_files = false;  // an adapter that is a reader
};
struct Failed {
  PluginFailure kind;
  std::string text;
};

// One episode in place, inside a frame.
struct EpisodeView {
  std::string_view prompt, completion, record, finish_reason;
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  double generation_s = 0;
};

enum class Outcome : uint8_t { scored, failed, unwritten, not_finite };
struct EpisodeResult {
  Outcome outcome = Outcome::unwritten;
  ScoreResult result;  // `score` only where scored; `error` for the other outcomes
};

// A prompt and what belongs to it.
struct Example {
  std::string prompt;
  bool is_messages = false;
  std::optional<std::string> output;
  std::optional<std::string> record;  // instead of the record that was given; of a file that was read, always
};

// What an adapter makes of one record, which it may leave out, or why it refuses it. Of a file that a reader
// reads, a portion: a request names the file, and then, empty, asks for more; one without examples is the
// last.
struct Conversion {
  std::vector<Example> examples;
  std::optional<std::string> refusal;
};

std::string encode(const Open& open);
std::string encode(const Opened& opened);
std::string encode(const Failed& failed);
std::string encode_score(std::span<const ScoreRequest> requests);
std::string encode_scored(std::span<const EpisodeResult> results);
std::string encode_summarize(std::span<const ScoreRequest> requests, std::span<const ScoreResult> results);
std::string encode_summarized(const std::map<std::string, double>& numbers);
std::string encode_convert(std::span<const std::string> records);
std::string encode_read(std::string_view path);
std::string encode_were_read(const Conversion& portion);
std::string encode_converted(std::span<const Conversion> conversions);

Open decode_open(std::string_view body);
Opened decode_opened(std::string_view body);
Failed decode_failed(std::string_view body);
std::vector<EpisodeView> decode_score(std::string_view body);
std::vector<EpisodeResult> decode_scored(std::string_view body);
struct SummarizeView {
  std::vector<EpisodeView> episodes;
  std::vector<ScoreResult> results;
};
SummarizeView decode_summarize(std::string_view body);
std::map<std::string, double> decode_summarized(std::string_view body);
std::vector<std::string_view> decode_convert(std::string_view body);
std::vector<Conversion> decode_converted(std::string_view body);
std::string_view decode_read(std::string_view body);
Conversion decode_were_read(std::string_view body);

}  // namespace rft::plugins::wire
