#include "plugins/registry.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/nearest.h"
#include "plugins/composition.h"
#include "plugins/plugin_error.h"

namespace rft::plugins {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

// NAME.so, NAME.py, or a program NAME, which is told from any other file by its permission to be run.
bool is_plugin_file(const fs::path& file) {
  if (file.filename().string().front() == '.') return false;
  if (file.extension() == ".so" || file.extension() == ".py") return true;
  return file.extension().empty() && fs::is_regular_file(file) && ::access(file.c_str(), X_OK) == 0;
}

bool can_be(const ResolvedPlugin& plugin, const std::string& kind) {
  return plugin.kind == kind || plugin.kind == "program";
}

PluginRow row_of(const ResolvedPlugin& plugin, const std::string& file, const std::string& origin) {
  PluginRow row;
  row.file = file;
  row.name = plugin.name;
  row.kind = plugin.kind;
  row.version = plugin.note ? plugin.note->version : "";
  row.digest = plugin.digest;
  row.origin = origin;
  row.state = "ready";
  return row;
}

// The scorer that is no file: the daemon makes it of others. Nothing that is dropped takes its place.
PluginRow composite_row() {
  PluginRow row;
  row.name = kComposite;
  row.kind = "scorer";
  row.origin = "shipped";
  row.state = "ready";
  row.reason = "built in: several scorers and a formula";
  return row;
}

// The note of a pinned shared object, checked. What is wrong with it is said of the file that was given.
PluginNote checked_note(const fs::path& pinned, const std::string& given) {
  try {
    const PluginNote note = read_note(pinned);
    require_loadable_abi(note, pinned);
    return note;
  } catch (const PluginError& error) {
    std::string message = error.what();
    if (message.starts_with(pinned.string())) message.replace(0, pinned.string().size(), given);
    throw PluginError(error.kind(), message);
  }
}

// The pinned copy of the file that was `given`, read: its implementation and a shared object's note.
ResolvedPlugin describe(const PinnedPlugin& pinned, const std::string& name, const std::string& given) {
  ResolvedPlugin plugin;
  plugin.path = pinned.path;
  plugin.digest = pinned.digest;
  plugin.name = name;
  plugin.implementation = detect_implementation(pinned.path);
  if (plugin.implementation == "shared_object") plugin.note = checked_note(pinned.path, given);
  plugin.kind = plugin.note ? plugin.note->kind : detect_kind(pinned.path, plugin.implementation);
  return plugin;
}

void require_kind(const ResolvedPlugin& plugin, const std::string& kind, const std::string& asked) {
  if (!can_be(plugin, kind))
    throw Error(ErrorCode::invalid_argument,
                "\"" + asked + "\" is a " + plugin.kind + ", and a " + kind + " is wanted");
}

// A path of the job folder, opened for nothing: no part of it may lead out of the folder.
fs::path inside(const fs::path& folder, const std::string& relative) {
  const fs::path path = fs::path(relative).lexically_normal();
  if (path.is_absolute() || path.empty() || *path.begin() == "..")
    throw Error(ErrorCode::invalid_argument, "\"" + relative + "\" is not a path inside the job folder");
  fs::path walked = folder;
  for (const auto& part : path) {
    walked /= part;
    if (fs::is_symlink(fs::symlink_status(walked)))
      throw Error(ErrorCode::invalid_argument, "\"" + relative + "\" leads through the symbolic link " +
                                                   walked.string() + "; copy the file into the folder");
  }
  return walked;
}

}  // namespace

Registry::Registry(fs::path shipped, const fs::path& dropped, double settle_s)
    : shipped_folder_(std::move(shipped)),
      dropped_folder_(fs::absolute(dropped).lexically_normal()),
      settle_s_(settle_s),
      store_(dropped_folder_ / ".store") {
  scan_shipped();
  rescan();
  settle_what_is_old();
}

// At the start nobody has watched the files that lie there. One that was last touched long ago is complete; a
// clock that was set since then can at most take a half-written file too early, which is refused and then
// taken when it changes.
void Registry::settle_what_is_old() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto settle_ns = static_cast<int64_t>(settle_s_ * 1e9);
  for (auto& [file, dropped] : dropped_)
    if (!dropped.settled &&
        now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec - dropped.identity.changed_ns > settle_ns)
      settle(file, dropped);
  rebuild_rows();
}

void Registry::scan_shipped() {
  if (shipped_folder_.empty() || !fs::is_directory(shipped_folder_)) return;
  for (const auto& entry : fs::directory_iterator(shipped_folder_)) {
    if (!is_plugin_file(entry.path())) continue;
    const ResolvedPlugin plugin =
        accept(entry.path(), Origin::shipped);  // a broken installation is an error of the start
    shipped_[plugin.name] = plugin;
  }
}

Registry::Identity Registry::identify(const fs::path& file) {
  struct stat info {};
  if (::lstat(file.c_str(), &info) != 0) return {};
  const auto nanoseconds = [](const timespec& time) {
    return time.tv_sec * int64_t{1'000'000'000} + time.tv_nsec;
  };
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size), nanoseconds(info.st_mtim),
          nanoseconds(info.st_ctim)};
}

bool Registry::rescan(const std::vector<fs::path>& moved_in) {
  std::error_code error;
  std::set<fs::path> files;
  for (fs::directory_iterator it(dropped_folder_, error), end; !error && it != end; it.increment(error))
    if (is_plugin_file(it->path())) files.insert(it->path());
  // A folder that cannot be read now says nothing about the plugins that it held.
  if (error) return false;
  std::erase_if(dropped_, [&](const auto& known) { return !files.contains(known.first); });
  for (const auto& file : files)
    look_at(file, std::any_of(moved_in.begin(), moved_in.end(),
                              [&](const fs::path& moved) { return moved.filename() == file.filename(); }));
  return rebuild_rows();
}

void Registry::look_at(const fs::path& file, bool is_whole) {
  const Identity identity = identify(file);
  const auto [found, is_new] = dropped_.try_emplace(file);
  Dropped& dropped = found->second;
  const auto now = Clock::now();
  if (is_new || dropped.identity != identity) {
    dropped.identity = identity;
    dropped.since = now;
    dropped.settled = false;
  }
  if (dropped.settled) return;
  if (is_whole || now - dropped.since >= std::chrono::duration<double>(settle_s_)) settle(file, dropped);
}

void Registry::settle(const fs::path& file, Dropped& dropped) {
  std::optional<ResolvedPlugin> plugin;
  std::string refusal;
  try {
    plugin = accept(file, Origin::home);
  } catch (const std::exception& error) {
    refusal = error.what();
  }
  // What was copied while it changed may be neither the old file nor the new one: the name keeps its meaning.
  if (identify(file) != dropped.identity) return;
  dropped.settled = true;
  dropped.plugin = std::move(plugin);
  dropped.refusal = std::move(refusal);
}

ResolvedPlugin Registry::accept(const fs::path& file, Origin origin) const {
  const std::string name = file.stem().string();
  if (!is_plugin_name(name))
    throw Error(ErrorCode::invalid_argument, "the file's name must be of the form [a-z0-9][a-z0-9_-]*");
  ResolvedPlugin plugin = describe(store_.pin(file), name, file.filename());
  plugin.origin = origin;
  plugin.file = file;
  if (plugin.note && plugin.note->name != name)
    throw Error(ErrorCode::invalid_argument, "its note says that it is \"" + plugin.note->name +
                                                 "\": name the file " + plugin.note->name + ".so");
  return plugin;
}

std::optional<Clock::time_point> Registry::rescan_due() const {
  std::optional<Clock::time_point> due;
  for (const auto& [file, dropped] : dropped_) {
    if (dropped.settled) continue;
    const auto when =
        dropped.since + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(settle_s_));
    if (!due || when < *due) due = when;
  }
  return due;
}

bool Registry::settles(const std::string& name) const {
  return std::any_of(dropped_.begin(), dropped_.end(),
                     [&](const auto& known) { return !known.second.settled && known.first.stem() == name; });
}

PluginRow Registry::unusable_row(const fs::path& file, const Dropped& dropped, const std::string& taken_by) {
  PluginRow row;
  row.file = file.filename();
  row.origin = "home";
  row.state = dropped.settled ? "refused" : "settling";
  if (!dropped.settled) {
    row.name = file.stem();
    row.reason = "it changed a moment ago; it is taken once it no longer does";
  } else if (dropped.plugin) {
    row.name = dropped.plugin->name;
    row.reason = "the name \"" + row.name + "\" is already taken by " + taken_by;
  } else {
    row.reason = dropped.refusal;
  }
  return row;
}

bool Registry::rebuild_rows() {
  std::vector<PluginRow> rows;
  std::map<std::string, ResolvedPlugin> ready;
  std::map<std::string, std::string> taken_by;  // name to file
  for (const auto& [file, dropped] : dropped_) {
    PluginRow row;
    // While a replacement settles, its name keeps meaning the bytes that it meant before.
    if (dropped.plugin && !ready.contains(dropped.plugin->name)) {
      ready[dropped.plugin->name] = *dropped.plugin;
      taken_by[dropped.plugin->name] = file.filename();
      row = row_of(*dropped.plugin, file.filename(), "home");
      if (!dropped.settled) row.reason = "a changed file is settling; jobs that name it wait for it";
    } else {
      row = unusable_row(file, dropped, dropped.plugin ? taken_by[dropped.plugin->name] : "");
    }
    rows.push_back(std::move(row));
  }
  for (const auto& [name, plugin] : shipped_) {
    PluginRow row = row_of(plugin, name + plugin.path.extension().string(), "shipped");
    if (ready.contains(name)) {
      row.state = "overridden";
      row.reason = "a plugin of that name lies in " + dropped_folder_.string();
    } else {
      ready[name] = plugin;
    }
    rows.push_back(std::move(row));
  }
  rows.push_back(composite_row());
  std::stable_sort(rows.begin(), rows.end(), [](const PluginRow& a, const PluginRow& b) {
    return std::tie(a.name, a.file) < std::tie(b.name, b.file);
  });
  ready_ = std::move(ready);
  const bool changed = rows != rows_;
  rows_ = std::move(rows);
  return changed;
}

ResolvedPlugin Registry::resolve(const std::string& name_or_path, const fs::path& job_folder,
                                 const std::string& kind) const {
  if (const auto found = ready_.find(name_or_path); found != ready_.end()) {
    require_kind(found->second, kind, name_or_path);
    store_.verify({found->second.path, found->second.digest});
    return found->second;
  }
  return resolve_file(name_or_path, job_folder, kind);
}

ResolvedPlugin Registry::resolve_file(const std::string& path, const fs::path& job_folder,
                                      const std::string& kind) const {
  const fs::path file = inside(job_folder, path);
  if (!fs::exists(fs::symlink_status(file)))
    throw Error(ErrorCode::not_found, "there is no " + kind + " \"" + path + "\": " + why_absent(path, kind));
  if (!fs::is_regular_file(fs::symlink_status(file)))
    throw Error(ErrorCode::invalid_argument, "\"" + path + "\" is no regular file");
  detect_implementation(file);  // refuses what is no plugin, before it is copied
  ResolvedPlugin plugin = describe(store_.pin(file), file.filename(), path);
  require_kind(plugin, kind, path);
  return plugin;
}

// That a file was dropped and refused says more than what else there is.
std::string Registry::why_absent(const std::string& name, const std::string& kind) const {
  for (const auto& [file, dropped] : dropped_)
    if (file.stem() == name && dropped.settled && !dropped.plugin)
      return file.string() + " is refused: " + dropped.refusal;
  std::vector<std::string> names;
  for (const auto& [known, plugin] : ready_)
    if (can_be(plugin, kind)) names.push_back(known);
  if (kind == "scorer") names.emplace_back(kComposite);
  std::ranges::sort(names);
  std::string list;
  for (const std::string& known : names) list += (list.empty() ? "" : ", ") + known;
  if (list.empty()) list = "there are none";
  // Of what was meant as a file it says more where that was looked for.
  if (fs::path(name).has_extension() || name.find('/') != std::string::npos)
    return "it is not in the job folder; put it there, beside job.toml, or name a registered one (" + list +
           ")" + did_you_mean(name, names);
  return "neither a registered one (" + list + ") nor a file of the job folder" + did_you_mean(name, names);
}

}  // namespace rft::plugins
