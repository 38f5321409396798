// A job folder made from loose files, for users who have data and a scorer but no job.toml.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rft::cli {

struct JobFiles {
  std::string name;  // empty: the training file's
  std::filesystem::path train;
  std::filesystem::path validation;  // empty: a share of the training file
  std::filesystem::path test;        // empty: none
  std::string model;                 // a name under HOME/models, or a folder
  std::string scorer;                // a registered name, or a file
  std::filesystem::path grader;      // instead of it: an OpenAI grader
  std::optional<double> learning_rate;
  std::optional<int64_t> epochs;
  std::optional<int64_t> seed;
  std::vector<std::string> settings;  // "ppo.kl_coef=0.1": a key of job.toml and its value, as TOML
};

// The text of the job.toml. Throws Error(invalid_argument) for a setting that is not SECTION.KEY=VALUE.
std::string job_toml(const JobFiles& files);

// Settings alone, as a part of a job.toml. Throws likewise.
std::string settings_toml(const std::vector<std::string>& settings);

// A name that a folder can have: letters, digits, "-" and "_".
std::string job_name(const JobFiles& files);

// Copies the files and writes the job.toml into `folder`, which must not exist. Throws Error(not_found) for a
// file that is missing, Error(invalid_argument) for two files of one name.
void build_job_folder(const JobFiles& files, const std::filesystem::path& folder);

}  // namespace rft::cli
