// The model families that the engine runs. A family is a function that reads its config.json into
// ModelConfig's switches and names its weights: one file here, one line in the table. docs/model-families.md
// shows how to add one.
#pragma once

#include <span>
#include <string>

#include "engine/model/config_reader.h"
#include "engine/model/model_config.h"

namespace rft::engine {

struct Family {
  const char* architecture;  // as config.json names it
  const char* name;          // as people do
  const char* model_type;    // as config.json has it, by which `transformers` chooses the class
  // Sets all that differs from ModelConfig's defaults, the ends of sequence that an absent key means among
  // it.
  void (*read)(const ConfigReader& json, ModelConfig& config);
};

std::span<const Family> families();
// Null for an architecture that is not in the table.
const Family* find_family(const std::string& architecture);

void read_llama(const ConfigReader& json, ModelConfig& config);
void read_mistral(const ConfigReader& json, ModelConfig& config);
void read_qwen2(const ConfigReader& json, ModelConfig& config);
void read_qwen3(const ConfigReader& json, ModelConfig& config);
void read_smollm3(const ConfigReader& json, ModelConfig& config);
void read_granite(const ConfigReader& json, ModelConfig& config);
void read_olmo2(const ConfigReader& json, ModelConfig& config);
void read_phi3(const ConfigReader& json, ModelConfig& config);
void read_gemma2(const ConfigReader& json, ModelConfig& config);
void read_gemma3(const ConfigReader& json, ModelConfig& config);
void read_gemma3_with_vision(const ConfigReader& json, ModelConfig& config);
void read_gpt2(const ConfigReader& json, ModelConfig& config);

}  // namespace rft::engine
