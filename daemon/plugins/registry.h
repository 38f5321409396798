// The plugins that jobs can name: those shipped with the daemon, and over them those dropped into
// HOME/plugins (NAME.so, NAME.py, or an executable NAME). A dropped file is taken at once when a rename
// brought it, else once it has not changed for `settle_s` (monotonic); it is copied into the pin store and
// read there, and its name must be the one in its note. Replacing a file makes a new pinned copy for later
// jobs, removing it takes its name away; jobs keep the copy they were admitted with.
//
// It has no thread and watches nothing: the daemon calls rescan() when inotify hints at a change and when
// rescan_due() says so. Not thread-safe. No code of a plugin runs in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugins/note.h"
#include "plugins/pin_store.h"

namespace rft::plugins {

// One line of `rftctl plugins ls`.
struct PluginRow {
  std::string file;     // as dropped: "classification.so"; empty of the scorer that is built in
  std::string name;     // while it settles the file's; empty while it is not known
  std::string kind;     // scorer | dataset-adapter | program: either of them; empty while it is not known
  std::string version;  // empty for scripts
  std::string digest;   // empty while settling or refused
  std::string origin;   // shipped | home | job: in quarantine alone
  std::string state;    // ready | settling | refused | overridden | quarantined
  std::string reason;   // for all but what is simply ready
  bool operator==(const PluginRow&) const = default;
};

enum class Origin { shipped, home, job_folder };

// What a job runs.
struct ResolvedPlugin {
  std::filesystem::path path;  // of the pinned copy
  std::string implementation;  // shared_object | python | command: ScorerOptions::kind
  std::string digest;
  std::string kind;                // scorer | dataset-adapter | program: either of them
  std::string name;                // as registered, or the file's name in the job folder
  std::optional<PluginNote> note;  // of a shared object
  Origin origin = Origin::job_folder;
  std::filesystem::path file;  // of a registered plugin: where it lies
};

class Registry {
 public:
  // `shipped` and `dropped` are folders; the first may be absent, the second is made if it is missing.
  // The store is `dropped`/.store. Scans once; what lies in `dropped` at that moment settles at once if it
  // was last changed more than `settle_s` ago.
  Registry(std::filesystem::path shipped, const std::filesystem::path& dropped, double settle_s = 2);

  // Looks at the folders again; the files in `moved_in` are known to be whole. Answers whether rows()
  // changed. An unreadable file is a refused row, never an exception.
  bool rescan(const std::vector<std::filesystem::path>& moved_in = {});
  // When rescan() is worth calling again although nothing hints at it: a file is settling. Nothing: never.
  std::optional<std::chrono::steady_clock::time_point> rescan_due() const;

  // Whether a file that is, or will be, the plugin `name` is still settling. Until it has, resolve() answers
  // what the name meant before.
  bool settles(const std::string& name) const;

  // Sorted by name, then file.
  const std::vector<PluginRow>& rows() const { return rows_; }

  // What `[scorer] plugin` or `[data] adapter` names: a registered name, or else a file of the job folder,
  // which is pinned now. `kind` is "scorer" or "dataset-adapter". Throws Error(not_found) with the names that
  // exist or, where a file of that name was dropped, why it is refused, Error(invalid_argument) for a path
  // that leaves the folder or a file that is no plugin of that kind, PluginError(wrong_abi | not_loadable)
  // for a shared object that this daemon cannot load.
  ResolvedPlugin resolve(const std::string& name_or_path, const std::filesystem::path& job_folder,
                         const std::string& kind) const;

 private:
  // What tells one state of a file from another without reading it.
  struct Identity {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t modified_ns = 0, changed_ns = 0;
    bool operator==(const Identity&) const = default;
  };
  // A file in the dropped folder, as last seen.
  struct Dropped {
    Identity identity;
    std::chrono::steady_clock::time_point since;  // unchanged
    std::optional<ResolvedPlugin> plugin;         // once it has settled and is accepted
    std::string refusal;                          // or why it is not
    bool settled = false;
  };

  static Identity identify(const std::filesystem::path& file);
  static PluginRow unusable_row(const std::filesystem::path& file, const Dropped& dropped,
                                const std::string& taken_by);
  void scan_shipped();
  void settle_what_is_old();
  void look_at(const std::filesystem::path& file, bool is_whole);
  void settle(const std::filesystem::path& file, Dropped& dropped);
  ResolvedPlugin accept(const std::filesystem::path& file, Origin origin) const;
  bool rebuild_rows();
  std::string why_absent(const std::string& name, const std::string& kind) const;
  ResolvedPlugin resolve_file(const std::string& path, const std::filesystem::path& job_folder,
                              const std::string& kind) const;

  std::filesystem::path shipped_folder_;
  std::filesystem::path dropped_folder_;
  double settle_s_;
  PinStore store_;
  std::map<std::string, ResolvedPlugin> shipped_;  // by name
  std::map<std::filesystem::path, Dropped> dropped_;
  std::map<std::string, ResolvedPlugin> ready_;  // what names mean now
  std::vector<PluginRow> rows_;
};

}  // namespace rft::plugins
