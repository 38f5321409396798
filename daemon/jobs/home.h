// The names inside a home. Plain paths; nothing is opened here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace rft::jobs {

struct Home {
  std::filesystem::path root;

  std::filesystem::path incoming() const { return root / "incoming"; }
  std::filesystem::path jobs() const { return root / "jobs"; }
  std::filesystem::path rejected() const { return root / "rejected"; }
  std::filesystem::path plugins() const { return root / "plugins"; }
  std::filesystem::path quarantine() const { return plugins() / ".quarantine"; }
  std::filesystem::path models() const { return root / "models"; }
  std::filesystem::path run() const { return root / "run"; }
  std::filesystem::path database() const { return root / "state.db"; }
  std::filesystem::path config() const { return root / "rftd.toml"; }
  std::filesystem::path secrets() const { return root / "secrets.json"; }
  std::filesystem::path lock() const { return root / "rftd.lock"; }

  std::filesystem::path job(const std::string& folder) const { return jobs() / folder; }
  // Where a job's copy is made before it is published.
  std::filesystem::path copying(int64_t id) const { return jobs() / (".tmp-" + std::to_string(id)); }
  // What a dropped folder is renamed to once it is taken: nobody finds it under its old name any more.
  std::filesystem::path claimed(int64_t id) const { return incoming() / (".taken-" + std::to_string(id)); }
};

}  // namespace rft::jobs
