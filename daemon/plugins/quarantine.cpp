#include "plugins/quarantine.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/files.h"
#include "plugins/plugin_error.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

constexpr size_t kLeastDigits = 8;

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

// The same plugin in the same surroundings, asked the same.
std::string command_of(const HostOptions& options, const fs::path& input, bool converts) {
  std::string command =
      quoted(options.host_program) + (converts ? " convert " : " score ") + quoted(options.plugin_path);
  if (converts) command += " " + quoted(input) + " converted.jsonl";
  if (!options.work_dir.empty()) command += " --folder " + quoted(options.work_dir);
  command +=
      " --options " + quoted(dump_json(options.options)) + " --timeout " + dump_json(options.timeout_s);
  if (options.allow_network) command += " --network";
  if (!options.secrets.empty()) command += " --secrets-file " + quoted(options.secrets_file);
  for (const std::string& secret : options.secrets) command += " --secret " + quoted(secret);
  if (options.trusted) command += " --trusted";
  if (!options.python.empty()) command += " --python " + quoted(options.python);
  return converts ? command : command + " < " + quoted(input);
}

std::optional<QuarantineReport> read_report(const fs::path& folder) {
  try {
    const Json json = parse_json(read_file(folder / "report.json"), "report.json");
    return QuarantineReport{json.at("digest"),
                            json.at("name"),
                            json.at("failure"),
                            json.at("reason"),
                            json.at("job"),
                            json.at("at"),
                            fs::path(json.at("input").get<std::string>()),
                            json.at("command")};
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace

Json to_json(const QuarantineReport& report) {
  return {{"digest", report.digest},        {"name", report.name},      {"failure", report.failure},
          {"reason", report.reason},        {"job", report.job},        {"at", report.at},
          {"input", report.input.string()}, {"command", report.command}};
}

std::string why_refused(const QuarantineReport& report) {
  const std::string digest = report.digest.substr(0, 12);
  return "it is in quarantine since " + report.at + ", when it " +
         (report.failure == "timed_out"       ? "hung"
          : report.failure == "out_of_memory" ? "ran out of memory"
                                              : "crashed") +
         " in job " + std::to_string(report.job) + "; rftctl plugins why " + digest +
         " says how, rftctl plugins release " + digest +
         " lets it run again, and a changed file is another plugin";
}

bool calls_for_quarantine(const std::string& failure) {
  return failure == to_string(PluginFailure::crashed) || failure == to_string(PluginFailure::timed_out) ||
         failure == to_string(PluginFailure::out_of_memory);
}

void Quarantine::add(QuarantineReport report, const HostOptions& options, const std::string& role) const {
  if (!calls_for_quarantine(report.failure)) return;
  const fs::path target = folder_ / report.digest;
  if (fs::exists(target)) return;
  const fs::path made = folder_ / (".tmp-" + report.digest);
  fs::remove_all(made);
  fs::create_directories(made);
  report.name = options.name;
  report.at = utc_now();
  report.input = target / "input.jsonl";
  report.command = command_of(options, report.input, role != "scorer");
  if (fs::exists(options.failed_input))
    fs::copy_file(options.failed_input, made / "input.jsonl");
  else
    write_file_atomically(made / "input.jsonl", "");
  write_file_atomically(made / "report.json", dump_json(to_json(report), 2) + "\n");
  publish_folder(made, target);
}

std::optional<QuarantineReport> Quarantine::find(const std::string& digest) const {
  return fs::exists(folder_ / digest) ? read_report(folder_ / digest) : std::nullopt;
}

std::vector<QuarantineReport> Quarantine::named(const std::string& name_or_digest) const {
  std::vector<QuarantineReport> found = all();
  std::erase_if(found, [&](const QuarantineReport& report) {
    return report.name != name_or_digest &&
           (name_or_digest.size() < kLeastDigits || !report.digest.starts_with(name_or_digest));
  });
  return found;
}

std::vector<QuarantineReport> Quarantine::all() const {
  std::vector<QuarantineReport> reports;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error))
    if (!it->path().filename().string().starts_with("."))
      if (auto report = read_report(it->path())) reports.push_back(std::move(*report));
  std::sort(reports.begin(), reports.end(), [](const auto& a, const auto& b) { return a.digest < b.digest; });
  return reports;
}

void Quarantine::release(const std::string& digest) const {
  // Out of sight by one rename, whatever a crash leaves of the rest.
  const fs::path going = folder_ / (".released-" + digest);
  fs::remove_all(going);
  fs::rename(folder_ / digest, going);
  fs::remove_all(going);
}

}  // namespace rft::plugins
