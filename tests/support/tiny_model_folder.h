// A model folder that check_model accepts: the right keys and shapes, all zeros. Nothing can be trained with
// it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "support/write_text.h"

namespace rft {

inline void write_tiny_model(const std::filesystem::path& folder) {
  constexpr int64_t kVocab = 8, kHidden = 4, kInner = 8;
  const Json config = {{"architectures", {"LlamaForCausalLM"}},
                       {"model_type", "llama"},
                       {"vocab_size", kVocab},
                       {"hidden_size", kHidden},
                       {"intermediate_size", kInner},
                       {"num_hidden_layers", 1},
                       {"num_attention_heads", 2},
                       {"num_key_value_heads", 1},
                       {"head_dim", 2},
                       {"max_position_embeddings", 256},
                       {"rms_norm_eps", 1e-6},
                       {"tie_word_embeddings", true},
                       {"eos_token_id", 2},
                       {"torch_dtype", "float32"}};
  const std::string layer = "model.layers.0.";
  const std::vector<std::pair<std::string, std::vector<int64_t>>> tensors = {
      {"model.embed_tokens.weight", {kVocab, kHidden}},
      {layer + "input_layernorm.weight", {kHidden}},
      {layer + "self_attn.q_proj.weight", {4, kHidden}},
      {layer + "self_attn.k_proj.weight", {2, kHidden}},
      {layer + "self_attn.v_proj.weight", {2, kHidden}},
      {layer + "self_attn.o_proj.weight", {kHidden, 4}},
      {layer + "post_attention_layernorm.weight", {kHidden}},
      {layer + "mlp.gate_proj.weight", {kInner, kHidden}},
      {layer + "mlp.up_proj.weight", {kInner, kHidden}},
      {layer + "mlp.down_proj.weight", {kHidden, kInner}},
      {"model.norm.weight", {kHidden}},
  };
  Json header = Json::object();
  int64_t offset = 0;
  for (const auto& [name, shape] : tensors) {
    int64_t bytes = 4;
    for (const int64_t extent : shape) bytes *= extent;
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = dump_json(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string file;
  for (int byte = 0; byte < 8; ++byte) file += static_cast<char>(text.size() >> (8 * byte));
  write_text(folder / "model.safetensors", file + text + std::string(static_cast<size_t>(offset), '\0'));
  write_text(folder / "config.json", dump_json(config));
  write_text(folder / "tokenizer.json", "{}");
}

}  // namespace rft
