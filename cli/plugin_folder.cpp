#include "cli/plugin_folder.h"

#include <cctype>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/program_folder.h"
#include "cli/program.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kPluginName[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

using Words =
    std::vector<std::pair<std::string, std::string>>;  // of the template, and what takes their place

// Where the SDK of this rftctl is installed: with it, or in its build tree.
fs::path sdk_prefix() {
  for (const fs::path& prefix : {program_folder() / "..", program_folder() / "../sdk-install"})
    if (fs::is_directory(prefix / "share/rft-sdk/template")) return fs::canonical(prefix);
  throw Error(ErrorCode::not_found, "the SDK is not installed with " + program_folder().string() +
                                        "/rftctl: install rftd whole (cmake --install)");
}

// "fraud-score" as a class: FraudScore.
std::string class_name(const std::string& name) {
  std::string out = std::isdigit(static_cast<unsigned char>(name.front())) ? "Plugin" : "";
  bool begins = true;
  for (const char c : name) {
    const bool letter = c != '-' && c != '_';
    if (letter) out += begins ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    begins = !letter;
  }
  return out;
}

std::string replaced(std::string text, const Words& words) {
  for (const auto& [word, by] : words)
    for (size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += by.size())
      text.replace(at, word.size(), by);
  return text;
}

// The programs of this installation, by their paths where a shell would not find them.
std::string runnable(const std::string& command) {
  const char* const value = std::getenv("PATH");
  std::istringstream path(value ? value : "");
  for (std::string folder; std::getline(path, folder, ':');) {
    std::error_code none;
    if (fs::equivalent(fs::path(folder) / "rftctl", program_folder() / "rftctl", none)) return command;
  }
  const bool ours = command.starts_with("rftctl ") || command.starts_with("rft-plugin-host ");
  return ours ? (program_folder() / command).string() : command;
}

std::vector<std::string> commands_of(const std::string& readme) {
  std::vector<std::string> commands;
  std::istringstream lines(readme);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("    ")) commands.push_back(runnable(line.substr(4)));
  return commands;
}

void require_possible(const NewPlugin& wanted) {
  if (wanted.name.empty() || wanted.name.size() > 63 || wanted.name[0] == '-' || wanted.name[0] == '_' ||
      wanted.name.find_first_not_of(kPluginName) != std::string::npos)
    throw Error(
        ErrorCode::invalid_argument,
        "\"" + wanted.name + "\" cannot be a plugin's name: it must be of the form [a-z0-9][a-z0-9_-]*",
        "NAME");
  if (fs::exists(wanted.name))
    throw Error(ErrorCode::conflict, wanted.name + " is there already; choose another name");
}

}  // namespace

PluginFolder make_plugin_folder(const NewPlugin& wanted, const fs::path& home) {
  require_possible(wanted);
  const fs::path prefix = sdk_prefix();
  const std::string stand_in = wanted.kind == "scorer" ? "my_scorer" : "my_adapter";
  const Words words = {{stand_in, wanted.name},
                       {class_name(stand_in), class_name(wanted.name)},
                       {"WHERE_THE_SDK_IS", prefix.string()},
                       {"WHERE_THE_PAGES_ARE", (documentation_folder() / "docs").string()},
                       {"HOME/plugins", (home / "plugins").string()}};
  const fs::path folder = fs::absolute(wanted.name);
  fs::create_directory(folder);
  for (const auto& file :
       fs::directory_iterator(prefix / "share/rft-sdk/template" / (wanted.kind + "-" + wanted.language))) {
    const fs::path made = folder / replaced(file.path().filename(), words);
    write_file_atomically(made, replaced(read_file(file.path()), words));
    fs::permissions(made, file.status().permissions());
  }
  return {folder, commands_of(read_file(folder / "README.md"))};
}

}  // namespace rft::cli
