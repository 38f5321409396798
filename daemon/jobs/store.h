// What the daemon knows about its jobs, durable: HOME/state.db, an SQLite database in WAL mode that is synced
// at every commit (synchronous=FULL). What a function here returned from is on the disk.
//
// Ids rise and are never reused (AUTOINCREMENT). Every change of a status is checked against the table of
// legal transitions and leaves a line in the history, whose position rises by one with each. A mutation's id
// is kept in the transaction that made its change, so that it is either done and remembered, or neither.
//
// A database that cannot be read, or that a newer version wrote, is never changed: the constructor throws.
// Not thread-safe. docs/operations.md describes the tables.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "jobs/job.h"

namespace rft::jobs {

struct HistoryEntry {
  int64_t position = 0;
  int64_t job = 0;
  State state = State::checking;
  std::string reason;
  int64_t attempt = 0;
  SystemTime at;
};

class Store {
 public:
  // Makes the file if it is missing. Throws Error(io) for one that cannot be read, Error(unsupported) for one
  // of a newer version; each names the file and what to do.
  explicit Store(const std::filesystem::path& file);

  // Each of these is one transaction. Errors of the disk are Error(resource) (full) or Error(io): nothing of
  // the transaction happened then.
  //
  // Gives each job its id. `mutation_id` (empty: none) is remembered with the first.
  void add(std::vector<Job>& jobs, const std::string& mutation_id = "");
  // Throws Error(conflict) for a transition that is not legal. `happened` (empty: nothing) is a line of the
  // history although the state is the same.
  void update(const Job& job, const std::string& mutation_id = "", const std::string& happened = "");

  std::optional<Job> find(int64_t id) const;
  std::optional<int64_t> newest_named(const std::string& name) const;
  std::vector<Job> unfinished() const;  // in the order of their ids
  // Newest first; empty states and name: all; limit 0: all.
  std::vector<Job> list(const std::vector<State>& states, const std::string& name, int64_t limit) const;
  std::optional<int64_t> job_of_mutation(const std::string& mutation_id) const;
  // The job that was made of the folder with this identity in incoming/.
  std::optional<int64_t> job_of_folder(const FolderIdentity& identity) const;
  std::vector<HistoryEntry> history(int64_t job) const;
  int64_t history_position() const;  // of the last entry; 0: none

 private:
  mutable SQLite::Database database_;
};

}  // namespace rft::jobs
