// A model folder in the Hugging Face layout, as `transformers` and other servers load it.
#pragma once

#include <filesystem>

#include "engine/model/decoder.h"

namespace rft::engine {

// Makes the folder `target`, which must not exist: the base folder's config.json, generation config and
// tokenizer files as they are (weights, other formats' weights and folders are left behind), and the
// decoder's weights in the dtype that the base was stored in. It appears whole or not at all. Throws
// Error(conflict) when `target` exists, Error(io).
void export_model(const Decoder& decoder, const std::filesystem::path& base_dir,
                  const std::filesystem::path& target);

}  // namespace rft::engine
