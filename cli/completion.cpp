#include "cli/completion.h"

#include <vector>

namespace rft::cli {
namespace {

std::vector<const CLI::App*> parts_of(const CLI::App& app) {
  std::vector<const CLI::App*> parts;
  for (const CLI::App* part : app.get_subcommands([](const CLI::App*) { return true; }))
    parts.push_back(part);
  return parts;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// What can follow a command: its parts and options.
std::string words_of(const CLI::App& app) {
  std::string words;
  for (const CLI::App* part : parts_of(app)) words += part->get_name() + " ";
  for (const std::string& option : options_of(app)) words += option + " ";
  if (!words.empty()) words.pop_back();
  return words;
}

// Calls `visit(path, app)` for the program and each command, the path being "", "models", "models new".
template <typename Visit>
void visit_commands(const CLI::App& app, const std::string& path, const Visit& visit) {
  visit(path, app);
  for (const CLI::App* part : parts_of(app))
    visit_commands(*part, path.empty() ? part->get_name() : path + " " + part->get_name(), visit);
}

std::string shell_quoted(std::string text) {
  for (size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4) text.replace(at, 1, "'\\''");
  return "'" + text + "'";
}

// The body shared by bash and zsh: finds the path of commands already typed among `words`.
std::string word_cases(const CLI::App& app) {
  std::string cases;
  visit_commands(app, "", [&](const std::string& path, const CLI::App& command) {
    cases += "    " + shell_quoted(path) + ") choices=" + shell_quoted(words_of(command)) + " ;;\n";
  });
  return cases;
}

std::string path_cases(const CLI::App& app) {
  std::string paths;
  visit_commands(app, "", [&](const std::string& path, const CLI::App&) {
    if (!path.empty()) paths += (paths.empty() ? "" : "|") + shell_quoted(path);
  });
  return paths;
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  return "# rftctl completion for bash: source <(rftctl completion bash)\n"
         "_rftctl() {\n"
         "  local path='' word try choices i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    word=${COMP_WORDS[i]}\n"
         "    try=${path:+$path }$word\n"
         "    case $try in " +
         path_cases(app) +
         ") path=$try ;; esac\n"
         "  done\n"
         "  case $path in\n" +
         word_cases(app) +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$choices\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n"
         "complete -o default -F _rftctl rftctl\n";
}

std::string zsh_completion(const CLI::App& app) {
  return "#compdef rftctl\n"
         "# rftctl completion for zsh: source <(rftctl completion zsh)\n"
         "_rftctl() {\n"
         "  local path_='' word try choices i\n"
         "  for ((i = 2; i < CURRENT; i++)); do\n"
         "    word=${words[i]}\n"
         "    try=${path_:+$path_ }$word\n"
         "    case $try in " +
         path_cases(app) +
         ") path_=$try ;; esac\n"
         "  done\n"
         "  case $path_ in\n" +
         word_cases(app) +
         "  esac\n"
         "  compadd -- ${=choices}\n"
         "  _files\n"
         "}\n"
         "compdef _rftctl rftctl\n";
}

std::string fish_completion(const CLI::App& app) {
  std::string text = "# rftctl completion for fish: rftctl completion fish | source\n";
  visit_commands(app, "", [&](const std::string& path, const CLI::App& command) {
    std::string condition = "__fish_use_subcommand";
    if (!path.empty()) {
      condition.clear();
      for (size_t begin = 0; begin < path.size();) {
        const size_t end = std::min(path.find(' ', begin), path.size());
        condition +=
            (begin ? "; and " : "") + ("__fish_seen_subcommand_from " + path.substr(begin, end - begin));
        begin = end + 1;
      }
    }
    for (const CLI::App* part : parts_of(command))
      text += "complete -c rftctl -n " + shell_quoted(condition) + " -a " + part->get_name() + " -d " +
              shell_quoted(part->get_description()) + "\n";
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_lnames().empty() && option->get_snames().empty()) continue;
      text += "complete -c rftctl -n " + shell_quoted(condition);
      for (const std::string& name : option->get_snames()) text += " -s " + name;
      for (const std::string& name : option->get_lnames()) text += " -l " + name;
      if (option->get_items_expected_max() > 0) text += " -r";
      text += " -d " + shell_quoted(option->get_description()) + "\n";
    }
  });
  return text;
}

}  // namespace rft::cli
