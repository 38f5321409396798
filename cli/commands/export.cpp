#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "cli/commands/commands.h"
#include "cli/job_text.h"

namespace rft::cli {
namespace {

namespace fs = std::filesystem;

uint64_t bytes_in(const fs::path& folder) {
  uint64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

// What the job leaves: its model, or the LoRA adapter that it trained unless that is to be `merged`.
fs::path result_of(const Json& job, bool merged) {
  const fs::path folder = text_of(job, "folder");
  if (fs::is_directory(folder / "model")) {
    const bool has_adapter = fs::is_directory(folder / "adapter");
    return folder / (has_adapter && !merged ? "adapter" : "model");
  }
  const std::string id = whole(whole_of(job, "id")), state = text_of(job, "state");
  if (!is_finished(state))
    throw Error(ErrorCode::conflict, "job " + id + " has no model yet, its state is " + state +
                                         "; wait for it with: rftctl wait " + id);
  std::error_code missing;
  const bool has_checkpoints =
      fs::directory_iterator(folder / "checkpoints", missing) != fs::directory_iterator();
  throw Error(
      ErrorCode::conflict,
      "job " + id + " has no model, its state is " + state +
          (has_checkpoints ? "; its best weights so far are in " + (folder / "checkpoints").string() : "") +
          "; see: rftctl why " + id);
}

// The job's files are the daemon's user's alone; the copy is as open as what its owner makes elsewhere.
void follow_umask(const fs::path& copy) {
  const mode_t umask = ::umask(0);
  ::umask(umask);
  const auto allowed = [&](const fs::path& path) {
    return static_cast<fs::perms>((fs::is_directory(path) ? 0777U : 0666U) & ~umask);
  };
  for (const auto& entry : fs::recursive_directory_iterator(copy))
    fs::permissions(entry.path(), allowed(entry.path()));
  fs::permissions(copy, allowed(copy));
}

// Copies whole or not at all: under a temporary name beside the target, synced, then renamed.
void copy_whole(const fs::path& source, const fs::path& target) {
  fs::create_directories(target.parent_path());
  const fs::path temporary =
      target.parent_path() / (".tmp-" + target.filename().string() + "-" + std::to_string(::getpid()));
  try {
    fs::copy(source, temporary, fs::copy_options::recursive);
    follow_umask(temporary);
    publish_folder(temporary, target);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

// Into an empty folder, which stays what it is: somebody may work in it, or something be mounted there.
void fill_folder(const fs::path& source, const fs::path& target) {
  const fs::path whole = target / source.filename();
  copy_whole(source, whole);
  for (const auto& entry : fs::directory_iterator(whole))
    fs::rename(entry.path(), target / entry.path().filename());
  fs::remove(whole);
  sync_folder(target);
}

void copy_result(const fs::path& source, const fs::path& target) {
  try {
    if (!fs::exists(fs::symlink_status(target))) return copy_whole(source, target);
    if (fs::is_directory(target) && fs::is_empty(target)) return fill_folder(source, target);
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::io, "cannot write to " + target.string() + ": " + error.code().message(), "DIR");
  }
  throw Error(ErrorCode::conflict,
              target.string() + " is there already; name a folder that is not, or an empty one", "DIR");
}

}  // namespace

Run define_export(CLI::App& app) {
  const auto job_name = std::make_shared<std::string>();
  const auto folder = std::make_shared<std::string>();
  app.add_option("JOB", *job_name, "Number or name")->required();
  const auto merge = std::make_shared<bool>(false);
  app.add_option("DIR", *folder,
                 "The folder to make, or an empty one: a Hugging Face model directory, or of a job with LoRA "
                 "its PEFT adapter")
      ->required();
  app.add_flag("--merge", *merge, "Of a job with LoRA the whole model, the adapter merged into it");
  return [=](Session& session) {
    const Json job = find_job(session.client, *job_name);
    fs::path target = fs::absolute(*folder).lexically_normal();
    if (!target.has_filename()) target = target.parent_path();  // a slash at its end
    const fs::path result = result_of(job, *merge);
    copy_result(result, target);
    const uint64_t bytes = bytes_in(target);
    const std::string what = result.filename();  // model or adapter
    session.out.line(target.string() + ": " + bytes_text(bytes) + ", the best " + what + " of job " +
                     whole(whole_of(job, "id")));
    session.out.value(
        {{"job", whole_of(job, "id")}, {"what", what}, {"folder", target.string()}, {"bytes", bytes}});
    return kOk;
  };
}

}  // namespace rft::cli
