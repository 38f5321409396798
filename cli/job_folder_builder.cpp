#include "cli/job_folder_builder.h"

#include <cctype>
#include <map>

#include "base/error.h"
#include "base/files.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;

// A TOML basic string.
std::string toml_string(const std::string& text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += std::string("\\u00") + kDigits[byte >> 4] + kDigits[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string shortest(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  std::string digits = text;
  // A TOML float has a point or an exponent.
  return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
}

// Whether the scorer is a file of the user's rather than a registered name.
bool is_file(const std::string& scorer) {
  const std::string extension = fs::path(scorer).extension();
  return scorer.find('/') != std::string::npos || extension == ".py" || extension == ".so" ||
         fs::is_regular_file(scorer);
}

void need_file(const fs::path& file, const std::string& option) {
  if (!fs::is_regular_file(file))
    throw Error(ErrorCode::not_found, option + " " + file.string() + ": there is no such file", option);
}

// job.toml's keys by section, in the order in which they are written.
class Sections {
 public:
  void set(const std::string& section, const std::string& key, const std::string& value) {
    if (!keys_.contains(section)) order_.push_back(section);
    keys_[section][key] = value;
  }

  std::string text() const {
    std::string text;
    for (const std::string& section : order_) {
      text += "\n[" + section + "]\n";
      for (const auto& [key, value] : keys_.at(section)) text += key + " = " + value + "\n";
    }
    return text;
  }

 private:
  std::vector<std::string> order_;
  std::map<std::string, std::map<std::string, std::string>> keys_;
};

void apply_setting(Sections& sections, const std::string& setting) {
  const size_t equals = setting.find('=');
  const size_t point = setting.substr(0, equals).rfind('.');
  if (equals == std::string::npos || point == std::string::npos || point == 0 || point + 1 == equals ||
      setting.find('\n') != std::string::npos)
    throw Error(ErrorCode::invalid_argument,
                "--set " + setting + ": must be SECTION.KEY=VALUE, such as ppo.kl_coef=0.1", "--set");
  sections.set(setting.substr(0, point), setting.substr(point + 1, equals - point - 1),
               setting.substr(equals + 1));
}

}  // namespace

std::string job_name(const JobFiles& files) {
  std::string name = files.name.empty() ? files.train.stem().string() : files.name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '-';
  return name.empty() ? "job" : name;
}

std::string job_toml(const JobFiles& files) {
  Sections sections;
  // A folder is told apart from a name under HOME/models, which the daemon resolves.
  const bool folder = fs::is_directory(files.model);
  sections.set("model", "path",
               toml_string(folder ? fs::absolute(files.model).lexically_normal() : fs::path(files.model)));
  sections.set("data", "train", toml_string(files.train.filename()));
  if (!files.validation.empty()) sections.set("data", "validation", toml_string(files.validation.filename()));
  if (!files.test.empty()) sections.set("data", "test", toml_string(files.test.filename()));
  if (!files.grader.empty())
    sections.set("scorer", "grader", toml_string(files.grader.filename()));
  else
    sections.set(
        "scorer", "plugin",
        toml_string(is_file(files.scorer) ? fs::path(files.scorer).filename().string() : files.scorer));
  if (files.epochs) sections.set("training", "epochs", std::to_string(*files.epochs));
  if (files.learning_rate) sections.set("training", "learning_rate", shortest(*files.learning_rate));
  if (files.seed) sections.set("training", "seed", std::to_string(*files.seed));
  for (const std::string& setting : files.settings) apply_setting(sections, setting);
  return "name = " + toml_string(job_name(files)) + "\n" + sections.text();
}

std::string settings_toml(const std::vector<std::string>& settings) {
  Sections sections;
  for (const std::string& setting : settings) apply_setting(sections, setting);
  return sections.text();
}

void build_job_folder(const JobFiles& files, const fs::path& folder) {
  std::vector<fs::path> sources = {files.train};
  need_file(files.train, "--training-file");
  if (!files.validation.empty()) need_file(sources.emplace_back(files.validation), "--validation-file");
  if (!files.test.empty()) need_file(sources.emplace_back(files.test), "--test-file");
  if (!files.grader.empty())
    need_file(sources.emplace_back(files.grader), "--grader");
  else if (is_file(files.scorer))
    need_file(sources.emplace_back(files.scorer), "--reward-model");
  const std::string toml = job_toml(files);

  std::map<fs::path, fs::path> by_name = {{"job.toml", "job.toml"}};
  for (const fs::path& source : sources) {
    const auto [known, added] = by_name.try_emplace(source.filename(), source);
    std::error_code ignored;
    if (!added && !fs::equivalent(known->second, source, ignored))
      throw Error(ErrorCode::invalid_argument, source.string() + ": another file of this job is called " +
                                                   source.filename().string() + " too; rename one of them");
  }
  try {
    fs::create_directories(folder);
    for (const fs::path& source : sources)
      fs::copy_file(source, folder / source.filename(), fs::copy_options::overwrite_existing);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::io, error.what());
  }
  write_file_atomically(folder / "job.toml", toml);
}

}  // namespace rft::cli
