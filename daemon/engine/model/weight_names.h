// How a family's checkpoints call the weights, by their role: module names without ".weight" and ".bias".
// The defaults are Llama's. An empty name: the family has no such weight.
#pragma once

#include <string>
#include <vector>

namespace rft::engine {

struct WeightNames {
  std::string head = "lm_head";
  std::string prefix = "model.";  // of all others
  // Prefixes that checkpoints of the family may have instead; read_model_config looks which it is.
  std::vector<std::string> other_prefixes;
  std::string
      module_prefix;  // of the modules in `transformers`, where the checkpoint has another; else empty
  std::string embedding = "embed_tokens";
  std::string positions;  // a table of learned position embeddings
  std::string final_norm = "norm";
  std::string layers = "layers.";  // then the layer's number, a dot, and one of these:

  std::string attention_norm = "input_layernorm";
  std::string q = "self_attn.q_proj", k = "self_attn.k_proj", v = "self_attn.v_proj";
  std::string qkv;  // instead of these three: one matrix with their rows in this order
  std::string q_norm, k_norm;
  std::string o = "self_attn.o_proj";
  std::string attention_output_norm;

  std::string mlp_norm = "post_attention_layernorm";
  std::string gate = "mlp.gate_proj", up = "mlp.up_proj";
  std::string gate_up;  // instead of these two
  std::string down = "mlp.down_proj";
  std::string mlp_output_norm;

  bool matrices_are_transposed = false;  // those of the layers are stored (in, out)
  // Buffers that older versions of `transformers` saved: neither read nor written.
  std::vector<std::string> ignored_endings = {".rotary_emb.inv_freq"};
  // Prefixes of weights that have no part in the decoder: not read, and exported as they are.
  std::vector<std::string> carried_prefixes;
};

}  // namespace rft::engine
