#include "engine/model/families/families.h"

namespace rft::engine {
namespace {

constexpr Family kFamilies[] = {
    {"LlamaForCausalLM", "llama", "llama", read_llama},
    {"MistralForCausalLM", "mistral", "mistral", read_mistral},
    {"Qwen2ForCausalLM", "qwen2", "qwen2", read_qwen2},
    {"Qwen3ForCausalLM", "qwen3", "qwen3", read_qwen3},
    {"SmolLM3ForCausalLM", "smollm3", "smollm3", read_smollm3},
    {"GraniteForCausalLM", "granite", "granite", read_granite},
    {"Olmo2ForCausalLM", "olmo2", "olmo2", read_olmo2},
    {"Phi3ForCausalLM", "phi3", "phi3", read_phi3},
    {"Gemma2ForCausalLM", "gemma2", "gemma2", read_gemma2},
    {"Gemma3ForCausalLM", "gemma3", "gemma3_text", read_gemma3},
    {"Gemma3ForConditionalGeneration", "gemma3", "gemma3", read_gemma3_with_vision},
    {"GPT2LMHeadModel", "gpt2", "gpt2", read_gpt2},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(const std::string& architecture) {
  for (const Family& family : kFamilies)
    if (architecture == family.architecture) return &family;
  return nullptr;
}

}  // namespace rft::engine
