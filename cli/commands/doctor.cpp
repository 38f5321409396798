#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "base/files.h"
#include "base/program_folder.h"
#include "base/temporary_folder.h"
#include "cli/commands/commands.h"
#include "cli/job_text.h"
#include "cli/program.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;

enum class Verdict { ok, warning, failed };

struct Finding {
  std::string name;
  Verdict verdict = Verdict::ok;
  std::string detail;
  std::string mend;  // empty where there is nothing to do
};

constexpr uint64_t kLowDiskBytes = 5'000'000'000;
constexpr uint64_t kLowMemoryBytes = 2'000'000'000;

// The value of a "key : value" line of /proc/cpuinfo or /proc/meminfo, the first of that key.
std::string proc_value(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos || line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1) != key)
      continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

bool in_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((fs::path(folder) / program).c_str(), X_OK) == 0) return true;
  return false;
}

bool is_amd() { return proc_value("/proc/cpuinfo", "vendor_id") == "AuthenticAMD"; }

Finding check_cpu() {
  std::istringstream words(proc_value("/proc/cpuinfo", "flags"));
  const std::set<std::string> flags{std::istream_iterator<std::string>(words), {}};
  std::string found;
  for (const char* flag : {"avx2", "avx512f", "avx512_bf16", "amx_bf16"})
    if (flags.contains(flag)) found += (found.empty() ? "" : ", ") + std::string(flag);
  Finding finding{"cpu", Verdict::ok,
                  proc_value("/proc/cpuinfo", "model name") + ", " +
                      std::to_string(std::thread::hardware_concurrency()) + " cores, " +
                      (found.empty() ? "none of avx2, avx512f, bf16" : found),
                  ""};
  if (!flags.contains("avx2")) {
    finding.verdict = Verdict::warning;
    finding.mend = "training on this CPU is slow: use one with AVX2, better AVX-512, or a GPU";
  } else if (!flags.contains("amx_bf16") && !(flags.contains("avx512_bf16") && is_amd())) {
    finding.detail += "; no faster in bfloat16, so computes in float32";
  }
  return finding;
}

// What LibTorch's BLAS will do here, as far as the environment decides it.
Finding check_blas() {
  Finding finding{"blas", Verdict::ok,
                  is_amd() ? "MKL on an AMD CPU: rft-worker asks it for its AVX-512 path" : "MKL", ""};
  for (const char* variable : {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}) {
    const char* const value = std::getenv(variable);
    if (value == nullptr) continue;
    finding.verdict = Verdict::warning;
    finding.detail += std::string("; ") + variable + "=" + value + " is set";
    finding.mend = std::string("unset ") + variable + ": a job's cores are given in [resources] cores";
  }
  return finding;
}

Finding check_memory() {
  const uint64_t available =
      std::strtoull(proc_value("/proc/meminfo", "MemAvailable").c_str(), nullptr, 10) * 1024;
  Finding finding{"memory", Verdict::ok, bytes_text(available) + " available", ""};
  if (available < kLowMemoryBytes) {
    finding.verdict = Verdict::warning;
    finding.mend = "training keeps four float32 copies of a model's weights and more: free some memory";
  }
  return finding;
}

Finding check_gpu() {
  const bool device = fs::exists("/dev/nvidia0"), driver = fs::exists("/proc/driver/nvidia/version");
  if (driver && device) {
    std::ifstream in("/proc/driver/nvidia/version");
    std::string version;
    std::getline(in, version);
    return {"gpu", Verdict::ok, version, ""};
  }
  if (driver || device)
    return {"gpu", Verdict::warning,
            driver ? "the NVIDIA driver is loaded but /dev/nvidia0 is missing"
                   : "/dev/nvidia0 is there but no NVIDIA driver is loaded",
            "install or load the NVIDIA driver; nvidia-smi must list the GPU"};
  return {"gpu", Verdict::ok, "none: jobs run on the CPU", ""};
}

Finding check_python() {
  if (in_path("python3")) return {"python3", Verdict::ok, "found: a scorer.py can run", ""};
  return {"python3", Verdict::warning, "not in PATH",
          "needed for scorers written in Python: apt install python3"};
}

Finding check_disk(const fs::path& home) {
  fs::path folder = home;
  while (!fs::exists(folder) && folder.has_parent_path() && folder != folder.parent_path())
    folder = folder.parent_path();
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0)
    return {"disk", Verdict::warning, "cannot look at " + folder.string(), ""};
  const uint64_t free = status.f_bavail * static_cast<uint64_t>(status.f_frsize);
  Finding finding{"disk", Verdict::ok, bytes_text(free) + " free at " + folder.string(), ""};
  if (free < kLowDiskBytes) {
    finding.verdict = Verdict::warning;
    finding.mend = "checkpoints take three times a model's size and more: free some, or move the home";
  }
  return finding;
}

Finding check_home(const fs::path& home) {
  std::error_code error;
  const fs::file_status status = fs::status(home, error);
  if (!fs::exists(status))
    return {"home", Verdict::warning, home.string() + " is not there yet",
            "rftd --home " + home.string() + " makes it"};
  if ((status.permissions() & (fs::perms::others_write | fs::perms::group_write)) != fs::perms::none)
    return {"home", Verdict::failed, home.string() + " can be written by others",
            "chmod go-w " + home.string()};
  return {"home", Verdict::ok, home.string(), ""};
}

// What is wrong with a program of ours; empty: nothing. A file that is there may still lack its libraries.
std::string fault_of(const fs::path& program) {
  if (!fs::exists(program)) return "is missing";
  try {
    const ProgramResult result = run_program(program, {"--version"});
    if (result.exit_code != 0) return "does not start: " + result.errors.substr(0, result.errors.find('\n'));
    const std::string ours = program.filename().string() + " " RFT_VERSION "\n";
    return result.output == ours ? "" : "is not of version " RFT_VERSION;
  } catch (const Error& error) {
    return std::string("does not start: ") + error.what();
  }
}

Finding check_programs() {
  std::string faults;
  const fs::path folder = program_folder();
  for (const std::string name : {"rftd", "rft-worker", "rft-plugin-host"})
    if (const std::string fault = fault_of(folder / name); !fault.empty())
      faults += (faults.empty() ? "" : "; ") + name + " " + fault;
  if (faults.empty()) return {"programs", Verdict::ok, "start, all in " + folder.string(), ""};
  return {"programs", Verdict::failed, faults + " (in " + folder.string() + ")",
          "build or install the whole of rftd, of one version; a library that is not found has moved since: "
          "run scripts/bootstrap, build and install again"};
}

// An interpreter that rftd.toml names, running the least of scorers inside the sandbox.
Finding check_interpreter(const std::string& python) {
  Finding finding{"python", Verdict::ok, python + " (rftd.toml) runs in the sandbox", ""};
  const TemporaryFolder scratch = TemporaryFolder::in_tmp();
  const fs::path scorer = scratch.path() / "scorer.py";
  write_file_atomically(scorer, "def score(episodes):\n    return []\n");
  const ProgramResult result =
      run_program(find_program("rft-plugin-host"), {"check", scorer, "--python", python});
  if (result.exit_code == 0) return finding;
  const std::vector<Json> answers = json_lines(result, "rft-plugin-host");
  finding.verdict = Verdict::failed;
  finding.detail = python + " (rftd.toml) does not run a scorer: " +
                   (answers.empty() ? result.errors : text_of(part_of(answers.back(), "error"), "message"));
  finding.mend = "mend it, or name another in rftd.toml, [plugins] python, and start rftd anew";
  return finding;
}

// Without the daemon's word: what its sandbox is made of.
Finding check_sandbox_tools() {
  if (!in_path("bwrap"))
    return {"sandbox", Verdict::warning, "bubblewrap is not in PATH",
            "apt install bubblewrap: scorers run inside it"};
  return {"sandbox", Verdict::ok, "bubblewrap found", ""};
}

Finding sandbox_of(const Json& daemon) {
  const Json isolation = part_of(daemon, "isolation");
  if (isolation.empty()) return check_sandbox_tools();
  const std::string missing = text_of(isolation, "missing");
  if (isolation.value("namespaces", Json()) == Json(false))
    return {"sandbox", Verdict::warning, "missing: only plugins that are shipped or trusted run",
            missing + "; or name those that you trust in rftd.toml, [plugins] trusted"};
  if (!missing.empty()) return {"sandbox", Verdict::warning, "not complete", missing};
  return {"sandbox", Verdict::ok,
          "around each plugin: namespaces, a view of only what it needs, a system call filter" +
              std::string(flag_of(isolation, "file_rules") ? ", Landlock" : "") + ", limits",
          ""};
}

// What a plugin and all that it starts may take together.
Finding cgroup_of(const Json& cgroup) {
  const std::string missing = text_of(cgroup, "missing");
  if (text_of(cgroup, "folder").empty())
    return {"cgroup", Verdict::warning, "none around each plugin, limits are those of each process", missing};
  std::string limits;
  for (const char* controller : {"memory", "pids"})
    if (flag_of(cgroup, controller)) limits += (limits.empty() ? "" : " and ") + std::string(controller);
  return {
      "cgroup", missing.empty() ? Verdict::ok : Verdict::warning,
      "one around each plugin, which ends it whole" + (limits.empty() ? "" : ", with limits of " + limits),
      missing};
}

std::vector<Finding> daemon_findings(const Json& daemon) {
  std::vector<Finding> findings;
  const std::string version = text_of(daemon, "version");
  findings.push_back({"daemon", Verdict::ok,
                      "rftd " + version + " answers, up for " + age_text(text_of(daemon, "started_at")), ""});
  if (version != RFT_VERSION)
    findings.push_back({"versions", Verdict::warning, "rftctl " RFT_VERSION ", rftd " + version,
                        "restart the daemon after an upgrade"});
  const Json programs = part_of(daemon, "programs");
  for (const auto& [name, there] : programs.items())
    if (there == Json(false))
      findings.push_back({"daemon's " + name, Verdict::failed,
                          "missing in " + text_of(daemon, "program_folder"),
                          "build or install the whole of rftd"});
  for (const Json& plugin : daemon.value("refused_plugins", Json::array()))
    findings.push_back(
        {"plugin " + text_of(plugin, "file"), Verdict::warning, "refused", text_of(plugin, "reason")});
  return findings;
}

std::vector<Finding> examine(Client& client) {
  std::vector<Finding> findings = {check_cpu(),
                                   check_blas(),
                                   check_memory(),
                                   check_gpu(),
                                   check_python(),
                                   check_programs(),
                                   check_home(client.home()),
                                   check_disk(client.home())};
  try {
    const Json daemon = client.ask("doctor", Json::object(), std::chrono::seconds(10));
    findings.push_back(sandbox_of(daemon));
    if (const Json cgroup = part_of(part_of(daemon, "isolation"), "cgroup"); !cgroup.empty())
      findings.push_back(cgroup_of(cgroup));
    for (const Json& python : daemon.value("python", Json::array()))
      findings.push_back(check_interpreter(python.get<std::string>()));
    const std::vector<Finding> more = daemon_findings(daemon);
    findings.insert(findings.end(), more.begin(), more.end());
  } catch (const Unreachable& error) {
    findings.push_back(check_sandbox_tools());
    findings.push_back({"daemon", Verdict::failed, error.fault, error.mend});
  }
  return findings;
}

std::string_view word_of(Verdict verdict) {
  return verdict == Verdict::ok ? "ok" : verdict == Verdict::warning ? "warning" : "failed";
}

}  // namespace

Run define_doctor(CLI::App&) {
  return [](Session& session) {
    const Style& style = session.out.style();
    int exit_code = kOk;
    Json json = Json::array();
    for (const Finding& finding : examine(session.client)) {
      json.push_back({{"name", finding.name},
                      {"verdict", word_of(finding.verdict)},
                      {"detail", finding.detail},
                      {"mend", finding.mend}});
      const Colour colour = finding.verdict == Verdict::ok        ? Colour::green
                            : finding.verdict == Verdict::warning ? Colour::yellow
                                                                  : Colour::red;
      std::string verdict(word_of(finding.verdict)), name = finding.name;
      verdict.resize(8, ' ');
      name.resize(std::max<size_t>(name.size(), 10), ' ');
      session.out.line(paint(style, colour, verdict) + name + " " + finding.detail);
      if (!finding.mend.empty()) session.out.line("                   → " + finding.mend);
      if (finding.verdict == Verdict::failed) exit_code = kFailed;
    }
    session.out.value(json);
    return exit_code;
  };
}

}  // namespace rft::cli
