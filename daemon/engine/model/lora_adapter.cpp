#include "engine/model/lora_adapter.h"

#include <ATen/ATen.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "engine/counter_random.h"
#include "engine/model/weight_files.h"

namespace rft::engine {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kAdapterPurpose = 0x6c6f7261;  // "lora"

at::Tensor uniform_tensor(int64_t rows, int64_t columns, double bound, uint64_t key) {
  at::Tensor tensor = at::empty({rows, columns}, at::kFloat);
  float* out = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i)
    out[i] = static_cast<float>(bound * (2 * sampling_uniform(key, 0, static_cast<uint64_t>(i), 0, 0) - 1));
  return tensor;
}

}  // namespace

LoraAdapter LoraAdapter::clone() const {
  LoraAdapter copy{config, {}};
  for (const NamedTensor& factor : factors)
    copy.factors.push_back({factor.name, factor.tensor.detach().clone()});
  return copy;
}

LoraAdapter new_adapter(const ModelConfig& model, const LoraConfig& config, uint64_t seed) {
  LoraAdapter adapter{config, {}};
  const uint64_t key = mix(seed, kAdapterPurpose);
  for (const LinearSpec& linear : find_linears(model, config.targets)) {
    const double bound = 1 / std::sqrt(static_cast<double>(linear.in));
    adapter.factors.push_back(
        {lora_a_key(model.names, linear.name),
         uniform_tensor(config.rank, linear.in, bound, mix(key, adapter.factors.size()))});
    adapter.factors.push_back(
        {lora_b_key(model.names, linear.name), at::zeros({linear.out, config.rank}, at::kFloat)});
  }
  return adapter;
}

LoraAdapter read_adapter(const fs::path& dir, const ModelConfig& model) {
  LoraAdapter adapter{check_adapter(dir, model), {}};
  std::map<std::string, at::Tensor> stored;
  for (const NamedTensor& named : map_tensors(dir / "adapter_model.safetensors"))
    stored[named.name] = named.tensor.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  for (const LinearSpec& linear : find_linears(model, adapter.config.targets)) {
    for (const std::string& key :
         {lora_a_key(model.names, linear.name), lora_b_key(model.names, linear.name)})
      adapter.factors.push_back({key, stored.at(key)});
  }
  return adapter;
}

void write_adapter(const LoraAdapter& adapter, const ModelConfig& model, const std::string& base,
                   const fs::path& dir) {
  if (fs::exists(dir)) throw Error(ErrorCode::conflict, dir.string() + " exists already");
  const fs::path building = dir.parent_path() / (".tmp-" + dir.filename().string());
  fs::remove_all(building);  // left by one that was killed
  fs::create_directories(building);
  write_file_atomically(building / "adapter_config.json",
                        dump_json(to_adapter_config_json(adapter.config, model, base), 2) + "\n");
  write_tensors(building / "adapter_model.safetensors", adapter.factors);
  publish_folder(building, dir);
}

}  // namespace rft::engine
