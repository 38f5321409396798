#include "engine/model/weight_files.h"

#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/unique_fd.h"
#include "engine/model/model_summary.h"
#include "engine/model/safetensors.h"

namespace rft::engine {
namespace {

namespace fs = std::filesystem;

struct DtypeName {
  at::ScalarType type;
  const char* stored;
};
constexpr DtypeName kDtypes[] = {{at::kFloat, "F32"},  {at::kBFloat16, "BF16"}, {at::kHalf, "F16"},
                                 {at::kDouble, "F64"}, {at::kLong, "I64"},      {at::kInt, "I32"},
                                 {at::kByte, "U8"},    {at::kBool, "BOOL"}};

std::optional<at::ScalarType> scalar_type(const std::string& stored) {
  for (const DtypeName& dtype : kDtypes) {
    if (stored == dtype.stored) return dtype.type;
  }
  return std::nullopt;
}

std::string stored_name(at::ScalarType type) {
  for (const DtypeName& dtype : kDtypes) {
    if (type == dtype.type) return dtype.stored;
  }
  throw Error(ErrorCode::internal, std::string("no safetensors dtype for ") + at::toString(type));
}

UniqueFd open_to_read(const fs::path& file) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) throw_errno(file.string());
  return fd;
}

at::ScalarType type_of(const fs::path& file, const StoredTensor& stored) {
  const auto type = scalar_type(stored.dtype);
  if (!type) throw Error(ErrorCode::unsupported, file.string() + ": " + stored.name + " is " + stored.dtype);
  return *type;
}

// Read rather than mapped: a file that shrinks meanwhile is an error here, not a SIGBUS, and the bytes are
// copied once either way.
at::Tensor read_tensor(int fd, const fs::path& file, const StoredTensor& stored) {
  at::Tensor tensor = at::empty(stored.shape, type_of(file, stored));
  char* out = static_cast<char*>(tensor.data_ptr());
  for (uint64_t done = 0; done < stored.num_bytes;) {
    const ssize_t got =
        ::pread(fd, out + done, stored.num_bytes - done, static_cast<off_t>(stored.begin + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno(file.string());
    if (got == 0) throw Error(ErrorCode::io, file.string() + " became shorter while it was read");
    done += static_cast<uint64_t>(got);
  }
  return tensor;
}

// A whole file, readable, for as long as somebody holds the pointer.
std::shared_ptr<char> map_file(const fs::path& file) {
  const UniqueFd fd = open_to_read(file);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno(file.string());
  const auto size = static_cast<size_t>(status.st_size);
  void* const begin = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (begin == MAP_FAILED) throw_errno("cannot map " + file.string());
  return {static_cast<char*>(begin), [size](char* mapped) { ::munmap(mapped, size); }};
}

void write_all(int fd, const fs::path& file, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw_errno(file.string());
    bytes += written;
    size -= static_cast<size_t>(written);
  }
}

}  // namespace

std::vector<NamedTensor> map_tensors(const fs::path& file) {
  const std::vector<StoredTensor> header = read_safetensors_header(file);
  const std::shared_ptr<char> bytes = map_file(file);
  std::vector<NamedTensor> tensors;
  tensors.reserve(header.size());
  for (const StoredTensor& stored : header) {
    tensors.push_back({stored.name, at::from_blob(
                                        bytes.get() + stored.begin, stored.shape, [bytes](void*) {},
                                        at::TensorOptions(type_of(file, stored)))});
  }
  return tensors;
}

void write_tensors(const fs::path& file, std::span<const NamedTensor> tensors,
                   std::optional<at::ScalarType> dtype, std::span<const NamedTensor> carried) {
  std::vector<std::pair<const NamedTensor*, at::ScalarType>> written;
  for (const NamedTensor& named : tensors)
    written.emplace_back(&named, dtype.value_or(named.tensor.scalar_type()));
  for (const NamedTensor& named : carried) written.emplace_back(&named, named.tensor.scalar_type());
  std::vector<StoredTensor> stored;
  stored.reserve(written.size());
  for (const auto& [named, type] : written)
    stored.push_back({named->name, stored_name(type), named->tensor.sizes().vec()});
  const std::string header = make_safetensors_header(stored);

  const fs::path temporary = file.string() + ".tmp";
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (fd.get() < 0) throw_errno(temporary.string());
  write_all(fd.get(), temporary, header.data(), header.size());
  for (const auto& [named, type] : written) {
    const at::Tensor bytes = named->tensor.detach().to(at::kCPU, type).contiguous();
    write_all(fd.get(), temporary, static_cast<const char*>(bytes.data_ptr()), bytes.nbytes());
  }
  if (::fsync(fd.get()) != 0) throw_errno(temporary.string());
  fs::rename(temporary, file);
  sync_folder(file.parent_path());
}

std::vector<NamedTensor> load_weights(const ModelConfig& config, const fs::path& model_dir,
                                      at::Device device) {
  const std::vector<WeightFile> files = list_weight_files(model_dir);
  if (const auto unsupported = check_weights(config, files); !unsupported.empty())
    throw Error(ErrorCode::unsupported, model_dir.string() + ": " + unsupported.front());
  std::map<std::string, at::Tensor> by_name;
  for (const WeightFile& file : files) {
    const UniqueFd fd = open_to_read(file.path);
    for (const StoredTensor& stored : file.tensors) {
      if (is_ignored_weight(config, stored.name)) continue;
      by_name[stored.name] = read_tensor(fd.get(), file.path, stored).to(device, at::kFloat);
    }
  }
  std::vector<NamedTensor> weights;
  for (const WeightSpec& spec : expected_weights(config)) {
    const at::Tensor& stored = by_name.at(spec.name);
    weights.push_back({spec.name, spec.stored_transposed ? stored.t().contiguous() : stored});
  }
  return weights;
}

std::vector<NamedTensor> load_carried_weights(const ModelConfig& config, const fs::path& model_dir) {
  std::vector<NamedTensor> weights;
  if (config.names.carried_prefixes.empty()) return weights;
  for (const WeightFile& file : list_weight_files(model_dir)) {
    const UniqueFd fd = open_to_read(file.path);
    for (const StoredTensor& stored : file.tensors) {
      if (is_carried_weight(config, stored.name))
        weights.push_back({stored.name, read_tensor(fd.get(), file.path, stored)});
    }
  }
  return weights;
}

}  // namespace rft::engine
