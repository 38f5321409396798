// What training holds between two steps, as a folder that is whole or not there:
//
//   DIR/state.json            {"format":"rftd-training-state","version":1,"kind":"ppo",
//                              "numbers":{…},"files":{"trained":{"bytes":…,"sha256":"…"},…}}
//   DIR/trained.safetensors   … one file for each entry of "files", float32
//
// Every bit comes back: tensors are stored in the dtype they have, doubles in their shortest exact form. The
// digests are checked before a byte is used.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/model/named_tensor.h"

namespace rft::engine {

struct TrainingState {
  std::string kind;  // who wrote it: "ppo", "warmup"
  Json numbers = Json::object();
  std::map<std::string, std::vector<NamedTensor>> files;
};

// Writes the state beside `dir` and renames it there; `dir` must not exist, its parent must. Throws
// Error(io).
void write_training_state(const std::filesystem::path& dir, const TrainingState& state);

// The tensors are views of the mapped files: copy out of them, and a restored state is in memory once. Throws
// Error(not_found) when there is none, Error(unsupported) for another version, and
// Error(invalid_argument) that names the file for one that is damaged or of another kind.
TrainingState read_training_state(const std::filesystem::path& dir, const std::string& kind);

// The number `name` of a state read from `dir`. Throws Error(invalid_argument) when it is absent or no
// number.
double stored_number(const TrainingState& state, const std::string& name, const std::filesystem::path& dir);

// The tensors of the state's file `file` in the order of `wanted`. Throws Error(invalid_argument) unless they
// have exactly its names and shapes, in float32.
std::vector<at::Tensor> stored_tensors(const TrainingState& state, const std::string& file,
                                       const std::vector<NamedTensor>& wanted,
                                       const std::filesystem::path& dir);

// `tensors` under the names of `names`, one by one.
std::vector<NamedTensor> named_like(const std::vector<NamedTensor>& names,
                                    const std::vector<at::Tensor>& tensors);

// Copies the values of `source` into the tensors of `target`, without gradients; shapes agree.
void copy_into(const std::vector<NamedTensor>& target, const std::vector<at::Tensor>& source);

}  // namespace rft::engine
