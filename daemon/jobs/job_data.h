// The data of a job: each of its files through the adapter, as canonical records in data/*.jsonl, and what
// they amount to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "config/job_config.h"
#include "engine/model/model_config.h"
#include "memory/estimate.h"
#include "plugins/adapter.h"

namespace rft::jobs {

// Makes the folder `data` anew from the files in `input`. Throws Error with the reason for a rejection, and
// plugins::PluginError when the adapter misbehaves.
void write_data(const config::JobConfig& job, const plugins::AdapterOptions& adapter,
                const std::filesystem::path& input, const std::filesystem::path& data);

// How much of it a job of this model holds at a time.
memory::DataExtent extent_of(const std::filesystem::path& data, const config::JobConfig& job,
                             const engine::ModelConfig& model, bool has_chat_template);

// Which of `num_records` records are the validation split: a share chosen by a permutation from the seed, at
// least one and never all. Ascending.
std::vector<size_t> choose_validation(size_t num_records, double share, uint64_t seed);

}  // namespace rft::jobs
