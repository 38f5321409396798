#include "jobs/store.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "base/error.h"

namespace rft::jobs {
namespace {

constexpr int kSchemaVersion = 2;
constexpr int kApplicationId = 0x72667464;  // "rftd"
// A mutation's id must outlive any client that might send it again.
constexpr int64_t kMutationDays = 30;

constexpr const char* kSchema = R"(
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  status TEXT NOT NULL,
  owner INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  num_failures INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  cores INTEGER NOT NULL,
  gpus INTEGER NOT NULL,
  model TEXT NOT NULL,
  scorer TEXT NOT NULL,
  source TEXT NOT NULL,
  keep_source INTEGER NOT NULL,
  source_device INTEGER NOT NULL,
  source_inode INTEGER NOT NULL,
  source_changed_ns INTEGER NOT NULL,
  manifest_digest TEXT NOT NULL,
  validation TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  finished_ms INTEGER NOT NULL,
  swaps TEXT NOT NULL DEFAULT 'null'
);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX jobs_by_name ON jobs (name);
CREATE INDEX jobs_by_source ON jobs (source_inode);
CREATE TABLE mutations (
  id TEXT PRIMARY KEY,
  job INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE history (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  job INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
);
CREATE INDEX history_by_job ON history (job);
)";

// From version 1, in which no scorer could be swapped.
constexpr const char* kUpgrade = "ALTER TABLE jobs ADD COLUMN swaps TEXT NOT NULL DEFAULT 'null'";

constexpr const char* kColumns =
    "id, name, status, owner, attempt, num_failures, max_attempts, cores, gpus, model, scorer, source, "
    "keep_source, source_device, source_inode, source_changed_ns, manifest_digest, validation, created_ms, "
    "started_ms, finished_ms, swaps";

constexpr const char* kInsert =
    "INSERT INTO jobs (name, status, owner, attempt, num_failures, max_attempts, cores, gpus, model, scorer, "
    "source, keep_source, source_device, source_inode, source_changed_ns, manifest_digest, validation, "
    "created_ms, "
    "started_ms, finished_ms, swaps, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
    "?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";

constexpr const char* kUpdate =
    "UPDATE jobs SET name = ?1, status = ?2, owner = ?3, attempt = ?4, num_failures = ?5, max_attempts = ?6, "
    "cores = ?7, gpus = ?8, model = ?9, scorer = ?10, source = ?11, keep_source = ?12, source_device = ?13, "
    "source_inode = ?14, source_changed_ns = ?15, manifest_digest = ?16, validation = ?17, created_ms = ?18, "
    "started_ms = ?19, finished_ms = ?20, swaps = ?21, state = ?22 WHERE id = ?23";

int64_t to_ms(SystemTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

SystemTime from_ms(int64_t ms) { return SystemTime(std::chrono::milliseconds(ms)); }

// Runs `body` and turns SQLite's errors into the project's.
template <class Body>
auto guarded(const std::string& what, Body body) {
  try {
    return body();
  } catch (const SQLite::Exception& error) {
    const auto code = error.getErrorCode() == SQLITE_FULL ? ErrorCode::resource : ErrorCode::io;
    throw Error(code, fmt::format("{}: {}", what, error.what()));
  }
}

void bind_job(SQLite::Statement& statement, const Job& job) {
  int column = 0;
  statement.bind(++column, job.name);
  statement.bind(++column, dump_json(to_json(job.status)));
  for (const int64_t value :
       {job.owner, job.attempt, job.num_failures, job.max_attempts, job.cores, job.gpus})
    statement.bind(++column, value);
  for (const std::string& value : {job.model, job.scorer, job.source.string()})
    statement.bind(++column, value);
  statement.bind(++column, job.keep_source ? 1 : 0);
  statement.bind(++column, static_cast<int64_t>(job.identity.device));
  statement.bind(++column, static_cast<int64_t>(job.identity.inode));
  statement.bind(++column, job.identity.changed_ns);
  statement.bind(++column, job.manifest_digest);
  statement.bind(++column, dump_json(job.validation));
  for (const auto time : {job.created_at, job.started_at, job.finished_at})
    statement.bind(++column, to_ms(time));
  statement.bind(++column, dump_json(to_json(job.swaps)));
  statement.bind(++column, std::string(to_string(state_of(job.status))));
}

Job read_job(SQLite::Statement& row) {
  Job job;
  int column = 0;
  const auto integer = [&] { return row.getColumn(column++).getInt64(); };
  const auto text = [&] { return row.getColumn(column++).getString(); };
  job.id = integer();
  job.name = text();
  job.status = status_from_json(parse_json(text(), fmt::format("the status of job {}", job.id)));
  for (int64_t* member :
       {&job.owner, &job.attempt, &job.num_failures, &job.max_attempts, &job.cores, &job.gpus})
    *member = integer();
  job.model = text();
  job.scorer = text();
  job.source = text();
  job.keep_source = integer() != 0;
  job.identity.device = static_cast<uint64_t>(integer());
  job.identity.inode = static_cast<uint64_t>(integer());
  job.identity.changed_ns = integer();
  job.manifest_digest = text();
  job.validation = parse_json(text(), fmt::format("the validation of job {}", job.id));
  job.created_at = from_ms(integer());
  job.started_at = from_ms(integer());
  job.finished_at = from_ms(integer());
  job.swaps = scorer_swaps_from_json(parse_json(text(), fmt::format("the swaps of job {}", job.id)));
  return job;
}

std::vector<Job> read_jobs(SQLite::Statement& query) {
  std::vector<Job> jobs;
  while (query.executeStep()) jobs.push_back(read_job(query));
  return jobs;
}

void add_history(SQLite::Database& database, const Job& job, const std::string& reason) {
  SQLite::Statement insert(database,
                           "INSERT INTO history (job, state, reason, attempt, at_ms) VALUES (?, ?, ?, ?, ?)");
  insert.bind(1, job.id);
  insert.bind(2, std::string(to_string(state_of(job.status))));
  insert.bind(3, reason);
  insert.bind(4, job.attempt);
  insert.bind(5, to_ms(std::chrono::system_clock::now()));
  insert.exec();
}

void remember_mutation(SQLite::Database& database, const std::string& id, int64_t job) {
  if (id.empty()) return;
  SQLite::Statement insert(database, "INSERT INTO mutations (id, job, at_ms) VALUES (?, ?, ?)");
  insert.bind(1, id);
  insert.bind(2, job);
  insert.bind(3, to_ms(std::chrono::system_clock::now()));
  insert.exec();
}

SQLite::Database open_database(const std::filesystem::path& file) {
  return guarded("cannot open " + file.string(), [&] {
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5000);
    return database;
  });
}

// Nothing is written before all of this has been read and found whole.
void check_readable(SQLite::Database& database, const std::filesystem::path& file) {
  const std::string untouched =
      "; it was left as it is. Restore a backup in its place, or start another home";
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (version > kSchemaVersion)
    throw Error(
        ErrorCode::unsupported,
        fmt::format("{} was written by a newer rftd (schema {}, this one knows {}); it was left as it is. "
                    "Start that version",
                    file.string(), version, kSchemaVersion));
  const std::string verdict = database.execAndGet("PRAGMA quick_check(1)").getString();
  if (verdict != "ok")
    throw Error(ErrorCode::io, fmt::format("{} is damaged ({}){}", file.string(), verdict, untouched));
  const bool empty = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
  if (!empty && (version == 0 || database.execAndGet("PRAGMA application_id").getInt() != kApplicationId))
    throw Error(ErrorCode::io, file.string() + " is not a database of rftd" + untouched);
}

void make_schema(SQLite::Database& database) {
  SQLite::Transaction transaction(database);
  database.exec(kSchema);
  database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
  database.exec(fmt::format("PRAGMA user_version = {}", kSchemaVersion));
  transaction.commit();
}

void upgrade(SQLite::Database& database) {
  SQLite::Transaction transaction(database);
  database.exec(kUpgrade);
  database.exec(fmt::format("PRAGMA user_version = {}", kSchemaVersion));
  transaction.commit();
}

}  // namespace

Store::Store(const std::filesystem::path& file) : database_(open_database(file)) {
  try {
    check_readable(database_, file);
    database_.exec("PRAGMA journal_mode = WAL");
    database_.exec("PRAGMA synchronous = FULL");
    database_.exec("PRAGMA cache_size = -256");  // KiB: a row is read when its job changes, and seldom else
    const int version = database_.execAndGet("PRAGMA user_version").getInt();
    if (version == 0) make_schema(database_);
    if (version == 1) upgrade(database_);
    SQLite::Statement prune(database_, "DELETE FROM mutations WHERE at_ms < ?");
    prune.bind(1, to_ms(std::chrono::system_clock::now() - std::chrono::hours(24 * kMutationDays)));
    prune.exec();
  } catch (const SQLite::Exception& error) {
    throw Error(ErrorCode::io,
                fmt::format("{} cannot be read ({}); it was left as it is. Restore a backup in its "
                            "place, or start another home",
                            file.string(), error.what()));
  }
}

void Store::add(std::vector<Job>& jobs, const std::string& mutation_id) {
  guarded("cannot keep a job", [&] {
    SQLite::Transaction transaction(database_);
    SQLite::Statement insert(database_, kInsert);
    for (auto& job : jobs) {
      bind_job(insert, job);
      insert.exec();
      insert.reset();
      job.id = database_.getLastInsertRowid();
      add_history(database_, job, reason_of(job.status));
    }
    if (!jobs.empty()) remember_mutation(database_, mutation_id, jobs.front().id);
    transaction.commit();
  });
}

void Store::update(const Job& job, const std::string& mutation_id, const std::string& happened) {
  guarded(fmt::format("cannot keep the state of job {}", job.id), [&] {
    SQLite::Transaction transaction(database_);
    SQLite::Statement present(database_, "SELECT state FROM jobs WHERE id = ?");
    present.bind(1, job.id);
    if (!present.executeStep()) throw Error(ErrorCode::not_found, fmt::format("there is no job {}", job.id));
    const auto from = state_from_string(present.getColumn(0).getString());
    present.reset();
    const State to = state_of(job.status);
    if (!from || (*from != to && !can_follow(*from, to)))
      throw Error(ErrorCode::conflict, fmt::format("job {} is {}, and cannot become {}", job.id,
                                                   from ? to_string(*from) : "unreadable", to_string(to)));
    SQLite::Statement update(database_, kUpdate);
    bind_job(update, job);
    update.bind(23, job.id);
    update.exec();
    if (*from != to) add_history(database_, job, reason_of(job.status));
    if (!happened.empty()) add_history(database_, job, happened);
    remember_mutation(database_, mutation_id, job.id);
    transaction.commit();
  });
}

std::optional<Job> Store::find(int64_t id) const {
  return guarded("cannot read the jobs", [&]() -> std::optional<Job> {
    SQLite::Statement query(database_, fmt::format("SELECT {} FROM jobs WHERE id = ?", kColumns));
    query.bind(1, id);
    if (!query.executeStep()) return std::nullopt;
    return read_job(query);
  });
}

std::optional<int64_t> Store::newest_named(const std::string& name) const {
  return guarded("cannot read the jobs", [&]() -> std::optional<int64_t> {
    SQLite::Statement query(database_, "SELECT id FROM jobs WHERE name = ? ORDER BY id DESC LIMIT 1");
    query.bind(1, name);
    if (!query.executeStep()) return std::nullopt;
    return query.getColumn(0).getInt64();
  });
}

std::vector<Job> Store::unfinished() const {
  return guarded("cannot read the jobs", [&] {
    SQLite::Statement query(database_,
                            fmt::format("SELECT {} FROM jobs WHERE state IN "
                                        "('checking', 'queued', 'running', 'paused', 'retrying') ORDER BY id",
                                        kColumns));
    return read_jobs(query);
  });
}

std::vector<Job> Store::list(const std::vector<State>& states, const std::string& name, int64_t limit) const {
  return guarded("cannot read the jobs", [&] {
    std::vector<std::string> conditions;
    if (!states.empty()) {
      std::vector<std::string> names;
      names.reserve(states.size());
      for (const auto state : states) names.push_back(fmt::format("'{}'", to_string(state)));
      conditions.push_back(fmt::format("state IN ({})", fmt::join(names, ", ")));
    }
    if (!name.empty()) conditions.push_back("name = ?");
    SQLite::Statement query(database_, fmt::format("SELECT {} FROM jobs {} {} ORDER BY id DESC LIMIT {}",
                                                   kColumns, conditions.empty() ? "" : "WHERE",
                                                   fmt::join(conditions, " AND "), limit > 0 ? limit : -1));
    if (!name.empty()) query.bind(1, name);
    return read_jobs(query);
  });
}

std::optional<int64_t> Store::job_of_mutation(const std::string& mutation_id) const {
  return guarded("cannot read the mutations", [&]() -> std::optional<int64_t> {
    SQLite::Statement query(database_, "SELECT job FROM mutations WHERE id = ?");
    query.bind(1, mutation_id);
    if (!query.executeStep()) return std::nullopt;
    return query.getColumn(0).getInt64();
  });
}

std::optional<int64_t> Store::job_of_folder(const FolderIdentity& identity) const {
  return guarded("cannot read the jobs", [&]() -> std::optional<int64_t> {
    SQLite::Statement query(database_,
                            "SELECT id FROM jobs WHERE source_inode = ? AND source_device = ? AND "
                            "source_changed_ns = ? AND keep_source = 0 ORDER BY id DESC LIMIT 1");
    query.bind(1, static_cast<int64_t>(identity.inode));
    query.bind(2, static_cast<int64_t>(identity.device));
    query.bind(3, identity.changed_ns);
    if (!query.executeStep()) return std::nullopt;
    return query.getColumn(0).getInt64();
  });
}

std::vector<HistoryEntry> Store::history(int64_t job) const {
  return guarded("cannot read the history", [&] {
    SQLite::Statement query(
        database_,
        "SELECT position, job, state, reason, attempt, at_ms FROM history WHERE job = ? ORDER BY position");
    query.bind(1, job);
    std::vector<HistoryEntry> entries;
    while (query.executeStep())
      entries.push_back({query.getColumn(0).getInt64(), query.getColumn(1).getInt64(),
                         state_from_string(query.getColumn(2).getString()).value_or(State::checking),
                         query.getColumn(3).getString(), query.getColumn(4).getInt64(),
                         from_ms(query.getColumn(5).getInt64())});
    return entries;
  });
}

int64_t Store::history_position() const {
  return guarded("cannot read the history", [&] {
    return database_.execAndGet("SELECT ifnull(max(position), 0) FROM history").getInt64();
  });
}

}  // namespace rft::jobs
