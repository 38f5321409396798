#include "cli/completion.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>

#include "cli/client.h"
#include "cli/home.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(1);  // of somebody who has pressed a key
constexpr int kMaxJobs = 500;

constexpr const char* kBash = R"(# rftctl completion for bash: source <(rftctl completion bash)
_rftctl() {
  local line word
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default ;;
      :folders) compopt -o dirnames ;;
      *) printf -v word %q "${line%%$'\t'*}"; COMPREPLY+=("$word") ;;
    esac
  done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _rftctl rftctl
)";

constexpr const char* kZsh = R"(#compdef rftctl
# rftctl completion for zsh: source <(rftctl completion zsh)
_rftctl() {
  local line paths
  local -a candidates
  for line in "${(@f)$(${(Q)~words[1]} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :*) paths=$line ;;
      ?*) candidates+=("${${${line//:/\\:}/$'\t'/:}%:}") ;;
    esac
  done
  (( $#candidates )) && _describe rftctl candidates
  [[ -n $paths ]] && compset -P '--*='
  case $paths in
    :files) _files ;;
    :folders) _files -/ ;;
  esac
}
if [[ $funcstack[1] == _rftctl ]]; then _rftctl "$@"; else compdef _rftctl rftctl; fi
)";

constexpr const char* kFish = R"(# rftctl completion for fish: rftctl completion fish | source
function __rftctl_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l option (string match -r '^--[^=]*=' -- $word)
    set -l path (string replace -- "$option" '' $word)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    set -e words[1]
    for line in ($program __complete $words "$word" 2>/dev/null)
        switch $line
            case :files
                printf '%s\n' "$option"(__fish_complete_path $path)
            case :folders
                printf '%s\n' "$option"(__fish_complete_directories $path)
            case '*'
                echo $line
        end
    end
end
complete -c rftctl -f -a '(__rftctl_complete)'
)";

// What can stand in a place, by word, and what each means.
struct Choices {
  std::vector<std::pair<std::string, std::string>> words;
  std::string paths;  // ":files", ":folders" or nothing

  void add(const std::string& word, const std::string& meaning) { words.emplace_back(word, meaning); }
};

// Where the words so far lead.
struct Place {
  const CLI::App* command;
  const CLI::Option* value_of = nullptr;  // the option whose value comes next
  size_t num_arguments = 0;               // of the command, without its options
  std::string home;
};

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::vector<const CLI::App*> parts_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

void take_word(Place& place, const std::string& word) {
  if (word == "=") return;  // bash makes it a word of its own
  if (const CLI::Option* const option = std::exchange(place.value_of, nullptr)) {
    if (option->check_name("--home")) place.home = word;
    return;
  }
  if (word.size() > 1 && word.starts_with("-")) {
    const size_t equals = word.find('=');
    const CLI::Option* const option = place.command->get_option_no_throw(word.substr(0, equals));
    if (option == nullptr || !takes_value(*option)) return;
    place.value_of = option;
    if (equals != std::string::npos) take_word(place, word.substr(equals + 1));
    return;
  }
  for (const CLI::App* part : parts_of(*place.command))
    if (part->get_name() == word) {
      place.command = part;
      return;
    }
  ++place.num_arguments;
}

// The argument without a name that comes next; null where there is none.
const CLI::Option* next_argument(const Place& place) {
  size_t index = place.num_arguments;
  for (const CLI::Option* option : place.command->get_options()) {
    if (!option->get_positional()) continue;
    const auto most = static_cast<size_t>(option->get_items_expected_max());
    if (index < most) return option;
    index -= most;
  }
  return nullptr;
}

void add_jobs(Client& client, bool by_number, Choices& choices) {
  const Json result = client.ask("ls", {{"limit", kMaxJobs}}, kPatience);
  std::set<std::string> names;
  for (const Json& job : result.at("jobs")) {
    const std::string name = text_of(job, "name"), state = text_of(job, "state");
    if (const int64_t id = whole_of(job, "id"); by_number && id > 0)
      choices.add(whole(id), name + ", " + state);
    if (names.insert(name).second) choices.add(name, state);
  }
}

void add_scorers(Client& client, Choices& choices) {
  const Json result = client.ask("plugins", Json::object(), kPatience);
  for (const Json& plugin : result.at("plugins"))
    if (text_of(plugin, "kind") == "scorer" && text_of(plugin, "state") == "ready")
      choices.add(text_of(plugin, "name"), text_of(plugin, "origin"));
}

// What `plugins why` and `plugins release` can be asked of.
void add_quarantined(Client& client, Choices& choices) {
  const Json result = client.ask("plugins", Json::object(), kPatience);
  for (const Json& plugin : result.at("plugins"))
    if (text_of(plugin, "state") == "quarantined")
      choices.add(text_of(plugin, "name"), text_of(plugin, "reason"));
}

void add_models(const fs::path& home, Choices& choices) {
  for (const auto& entry : fs::directory_iterator(home / "models"))
    if (entry.is_directory()) choices.add(entry.path().filename(), "");
}

// CLI11 writes the values of an enumeration as "TEXT:{bash,zsh,fish}".
void add_enumeration(const std::string& type, Choices& choices) {
  const size_t begin = type.find('{'), end = type.find('}');
  if (begin == std::string::npos || end == std::string::npos) return;
  for (const std::string& value : CLI::detail::split(type.substr(begin + 1, end - begin - 1), ','))
    choices.add(value, "");
}

// An argument's own name says what it is, and so does the type of an option.
void add_values(const CLI::Option& option, const Place& place, Choices& choices) {
  const std::string type = option.get_type_name();
  const std::string what = option.get_positional() ? option.get_name() : type.substr(0, type.find(':'));
  add_enumeration(type, choices);
  if (what == "FILE" || what == "SCORER") choices.paths = ":files";
  if (what == "DIR" || what == "FOLDER" || what == "MODEL") choices.paths = ":folders";
  Client client(find_home(place.home));
  if (what == "JOB" || what == "NAME") add_jobs(client, what == "JOB", choices);
  if (what == "SCORER") add_scorers(client, choices);
  if (what == "PLUGIN") add_quarantined(client, choices);
  if (what == "MODEL") add_models(client.home(), choices);
}

void add_options(const CLI::App& command, Choices& choices) {
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_snames()) choices.add("-" + name, option->get_description());
    for (const std::string& name : option->get_lnames()) choices.add("--" + name, option->get_description());
  }
}

// What can stand at a place where `word` begins to be typed.
Choices choices_at(const Place& place, const std::string& word) {
  Choices choices;
  try {
    const auto parts = parts_of(*place.command);
    const CLI::Option* const argument = place.value_of ? nullptr : next_argument(place);
    if (place.value_of)
      add_values(*place.value_of, place, choices);
    else if (word.starts_with("-") || (parts.empty() && argument == nullptr))
      add_options(*place.command, choices);
    else if (argument != nullptr)
      add_values(*argument, place, choices);
    else if (place.num_arguments == 0)
      for (const CLI::App* part : parts) choices.add(part->get_name(), part->get_description());
  } catch (const std::exception&) {
    // Nobody is there to ask; an error in the middle of a command line helps nobody.
  }
  return choices;
}

}  // namespace

std::string completion_script(const std::string& shell) {
  return shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish;
}

std::string complete(const CLI::App& app, const std::vector<std::string>& words) {
  Place place{&app};
  for (const std::string& word : std::span(words).first(words.empty() ? 0 : words.size() - 1))
    take_word(place, word);
  std::string word = words.empty() || words.back() == "=" ? "" : words.back(), before;
  if (const size_t equals = word.find('='); word.starts_with("--") && equals != std::string::npos) {
    before = word.substr(0, equals + 1);
    word.erase(0, equals + 1);
    take_word(place, before.substr(0, equals));
  }
  const Choices choices = choices_at(place, word);
  std::string lines;
  for (const auto& [choice, meaning] : choices.words)
    if (choice.starts_with(word)) lines += before + one_line(choice) + "\t" + one_line(meaning) + "\n";
  return choices.paths.empty() ? lines : lines + choices.paths + "\n";
}

}  // namespace rft::cli
