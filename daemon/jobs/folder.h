// A job folder as other people made it: looked at and copied without ever leaving it. Every entry is opened
// below the folder (openat2 with RESOLVE_BENEATH and no symbolic links) and only regular files are read, so
// that a link, a "..", a FIFO or a device in it can neither reveal nor block anything. Every function may be
// called from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "jobs/job.h"

namespace rft::jobs {

// Everything about a folder's entries that changes when one of them is written, added, removed or renamed.
struct Fingerprint {
  uint64_t digest = 0;
  uint64_t num_entries = 0;
  bool has_ready = false;  // a file READY at its top
  bool operator==(const Fingerprint&) const = default;
};

// Does not fail on what a job folder may not hold; an entry that vanishes meanwhile changes the result.
// Throws Error(not_found) when the folder itself is not there.
Fingerprint fingerprint(const std::filesystem::path& folder);

// Of the entry itself, links not followed; nothing when it is not there.
struct FolderInfo {
  FolderIdentity identity;
  int64_t owner = 0;  // uid
  bool is_folder = false;
};
std::optional<FolderInfo> folder_info(const std::filesystem::path& path);
// The Error(not_found) of a `kind` ("folder", "file") that a client named in the field of that name and the
// daemon cannot find, as it may be where a client can.
Error not_seen(const std::filesystem::path& path, const std::string& kind, const std::string& mend);

struct CopyLimits {
  uint64_t max_bytes = uint64_t{64} << 30;
  uint64_t max_files = 100000;
};

// Copies `source` into `target`, which is made: a reflink where the file system can, else the bytes; modes
// and times are kept. Throws Error(invalid_argument) that names the entry, relative to `source`, and the
// mend: a symbolic link, a FIFO, a socket, a device, a hard link to somebody else's file, too many files or
// bytes.
void copy_folder(const std::filesystem::path& source, const std::filesystem::path& target,
                 const CopyLimits& limits);

// Opens a regular file `path`, relative to `folder`, for reading. Throws Error(invalid_argument) that names
// the path for one that leads out of the folder, is no regular file, or is not there.
UniqueFd open_beneath(const std::filesystem::path& folder, const std::filesystem::path& path);

// "<sha256>  <path>" of every regular file below `folder`, sorted by path, as sha256sum writes and checks it.
std::string manifest(const std::filesystem::path& folder);
// Throws Error(conflict) that names the first file below `folder` that is not what `manifest` says, of those
// whose path starts with one of `prefixes`.
void verify_manifest(const std::filesystem::path& folder, const std::string& manifest,
                     const std::vector<std::string>& prefixes);

}  // namespace rft::jobs
