// What a model folder holds, told from config.json and the safetensors headers alone: no weight is read and
// no LibTorch is needed, so the daemon can ask it of every job folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/model/model_config.h"

namespace rft::engine {

struct ModelSummary {
  std::filesystem::path dir;
  std::string architecture;
  std::string family;          // "llama"; empty for one that the engine does not know
  int64_t num_parameters = 0;  // a tied lm_head counts once
  std::string stored_dtype;    // "float32", "bfloat16", "float16", or "mixed"
  int64_t num_layers = 0;
  int64_t hidden_size = 0;
  int64_t vocab_size = 0;
  int64_t max_positions = 0;
  std::vector<int64_t> eos_token_ids;
  std::string no_tokenizer;        // why there is none; empty: there is one
  bool has_chat_template = false;  // chat_template.jinja, or the key in tokenizer_config.json
  // What the engine does not do, by key ("hidden_act = gelu", "a weight of dtype F8_E4M3: NAME"): empty for a
  // model that can be trained.
  std::vector<std::string> unsupported;
};

// Throws Error(not_found) when config.json or the weights are missing, Error(invalid_argument) when a file is
// malformed, a weight is missing or has another shape than config.json says.
ModelSummary check_model(const std::filesystem::path& model_dir);

// Checks the tensors of a folder's weight files against what `config` needs, with the same errors; answers
// what is unsupported about them.
struct WeightFile;
std::vector<std::string> check_weights(const ModelConfig& config, const std::vector<WeightFile>& files);

// Whether a checkpoint may hold this tensor although the configuration needs none of that name: a tied head's
// copy, and buffers that old `transformers` saved.
bool is_ignored_weight(const ModelConfig& config, const std::string& name);
// Those among them that an export writes again: of another part of the model than its decoder.
bool is_carried_weight(const ModelConfig& config, const std::string& name);

}  // namespace rft::engine
