#include "worker/new_model.h"

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "engine/model/decoder.h"
#include "text/tokenizer.h"
#include "text/train_tokenizer.h"

namespace rft::worker {
namespace fs = std::filesystem;
namespace {

constexpr const char* kEndOfText = "<|endoftext|>";

// The whole of a record is text to learn the vocabulary from: whatever its shape, its strings are what the
// model will read and write.
void collect_strings(const Json& value, std::vector<std::string>& texts) {
  if (value.is_string()) texts.push_back(value.get<std::string>());
  if (value.is_structured())
    for (const Json& member : value) collect_strings(member, texts);
}

std::vector<std::string> texts_of(const std::vector<fs::path>& files) {
  std::vector<std::string> texts;
  for (const fs::path& file : files)
    for_each_json_line(file, [&](Json&& record, size_t) { collect_strings(record, texts); });
  if (texts.empty())
    throw Error(ErrorCode::invalid_argument, "no text to train a tokenizer on; give JSONL files with --from");
  return texts;
}

engine::ModelConfig config_of(const NewModelOptions& options, const text::Tokenizer& tokenizer) {
  if (options.hidden % options.heads != 0 || options.heads % options.kv_heads != 0)
    throw Error(ErrorCode::invalid_argument,
                "--hidden must be a multiple of --heads, and --heads one of --kv-heads");
  engine::ModelConfig config;
  config.architecture = "LlamaForCausalLM";
  config.vocab_size = tokenizer.vocab_size();
  config.hidden_size = options.hidden;
  config.intermediate_size = options.hidden * 4;
  config.num_layers = options.layers;
  config.num_heads = options.heads;
  config.num_kv_heads = options.kv_heads;
  config.head_dim = options.hidden / options.heads;
  config.max_positions = options.max_positions;
  config.tie_word_embeddings = true;
  config.stored_dtype = "float32";
  config.eos_token_ids = {tokenizer.token_to_id(kEndOfText).value()};
  return config;
}

}  // namespace

void make_model(const NewModelOptions& options) {
  if (options.recipe != "tiny")
    throw Error(ErrorCode::invalid_argument, "unknown recipe \"" + options.recipe + "\"; there is: tiny");
  if (fs::exists(options.out))
    throw Error(ErrorCode::conflict,
                options.out.string() + " already exists; choose another name or remove it");
  const std::vector<std::string> texts = texts_of(options.from);

  const fs::path target = fs::absolute(options.out);
  const fs::path temporary = target.parent_path() / (".tmp-" + target.filename().string());
  fs::remove_all(temporary);
  fs::create_directories(temporary);
  try {
    text::train_bpe(texts, {.vocab_size = options.vocabulary, .eos_token = kEndOfText}, temporary);
    const engine::ModelConfig config = config_of(options, text::Tokenizer::load(temporary));
    write_file_atomically(temporary / "config.json", dump_json(engine::to_config_json(config), 2) + "\n");
    engine::Decoder::random(config, options.seed, {})->save_weights(temporary);
    publish_folder(temporary, target);
  } catch (...) {
    fs::remove_all(temporary);
    throw;
  }
}

}  // namespace rft::worker
