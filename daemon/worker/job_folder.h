// The names inside a job's folder, HOME/jobs/17-fraud/.
#pragma once

#include <filesystem>
#include <string>

namespace rft::worker {

struct JobFolder {
  std::filesystem::path root;

  std::filesystem::path plan() const { return root / "plan.toml"; }
  std::filesystem::path data(const std::string& split) const { return root / "data" / (split + ".jsonl"); }
  std::filesystem::path input() const { return root / "input"; }
  std::filesystem::path lock() const { return root / "attempt.lock"; }
  std::filesystem::path resume() const { return root / "resume"; }
  std::filesystem::path checkpoints() const { return root / "checkpoints"; }
  std::filesystem::path model() const { return root / "model"; }
  std::filesystem::path adapter() const { return root / "adapter"; }
  std::filesystem::path summary() const { return root / "summary.json"; }
};

}  // namespace rft::worker
