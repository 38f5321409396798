// Paths that a job's files or options name.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>

// Whether `path` stays inside the working folder, which is the job's and holds no links.
inline bool is_inside_job(const std::string& path) {
  const std::filesystem::path named = path;
  return !named.empty() && !named.is_absolute() && std::find(named.begin(), named.end(), "..") == named.end();
}
