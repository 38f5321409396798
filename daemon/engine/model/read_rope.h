// The rotary embeddings of a config.json, in its older and its newer spelling: `rope_scaling`, beside which
// rope_theta stands, and `rope_parameters`, which holds it.
#pragma once

#include "engine/model/config_reader.h"
#include "engine/model/model_config.h"

namespace rft::engine {

// The object of parameters in either spelling; one with no keys where there is none. Objects in it, one for
// each kind of layer, are named as unsupported.
ConfigReader rope_object(const ConfigReader& json);

// `config` has its widths and max_positions already; dynamic scaling raises the latter to what it is for.
RopeConfig read_rope(const ConfigReader& json, ModelConfig& config, double default_theta);

// The same of one object of parameters, wherever it stands in `json`.
RopeConfig read_rope(const ConfigReader& scaling, const ConfigReader& json, ModelConfig& config,
                     double default_theta);

// The length first trained with. A key beside `scaling` wins over one inside, as in `transformers`.
int64_t read_original_max_positions(const ConfigReader& scaling, const ConfigReader& json,
                                    const ModelConfig& config);

}  // namespace rft::engine
