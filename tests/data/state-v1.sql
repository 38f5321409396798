-- The database as schema version 1 wrote it: a job in each state.
PRAGMA application_id = 1919317092;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE history (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  job INTEGER NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
);
INSERT INTO "history" VALUES(1,1,'checking','waits to be copied',0,1767225600125);
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
  finished_ms INTEGER NOT NULL
);
INSERT INTO "jobs" VALUES(1,'fraud','succeeded','{"state": "succeeded", "result": {"model": "model"}}',1000,2,1,5,2,0,'tiny','exact_match','/home/incoming/fraud',0,8,4711,1767225600125000000,'abc','{"base/validation": {"value": 0.5}}',1767225600125,0,0);
INSERT INTO "jobs" VALUES(2,'triage','retrying','{"state": "retrying", "reason": "its worker was killed by signal 9 (Killed)", "not_before_ms": 1767225620125}',1000,3,2,5,2,0,'tiny','exact_match','/home/incoming/triage',0,8,4711,1767225600125000000,'abc','null',1767225600125,0,0);
INSERT INTO "jobs" VALUES(3,'slow','paused','{"state": "paused", "reason": "paused by its owner"}',1000,1,0,5,2,0,'tiny','exact_match','/home/incoming/slow',0,8,4711,1767225600125000000,'abc','null',1767225600125,0,0);
INSERT INTO "jobs" VALUES(4,'live','running','{"state": "running", "request": 1}',1000,4,0,5,2,0,'tiny','exact_match','/home/incoming/live',0,8,4711,1767225600125000000,'abc','null',1767225600125,0,0);
INSERT INTO "jobs" VALUES(5,'new','checking','{"state": "checking", "reason": "waits to be copied", "copied": false}',1000,0,0,5,2,0,'tiny','exact_match','/home/incoming/new',0,8,4711,1767225600125000000,'abc','null',1767225600125,0,0);
INSERT INTO "jobs" VALUES(6,'bad','rejected','{"state": "rejected", "reason": "no job.toml", "folder": "/home/rejected/bad"}',1000,0,0,5,2,0,'tiny','exact_match','/home/incoming/bad',0,8,4711,1767225600125000000,'abc','null',1767225600125,0,0);
INSERT INTO "jobs" VALUES(7,'lost','failed','{"state": "failed", "reason": "given up", "code": "plugin"}',1000,5,5,5,2,0,'tiny','exact_match','/home/incoming/lost',0,8,4711,1767225600125000000,'abc','null',1767225600125,0,0);
INSERT INTO "jobs" VALUES(8,'next','queued','{"state": "queued", "reason": "waits for its turn"}',1000,0,0,5,2,0,'tiny','exact_match','/home/incoming/next',0,8,4711,1767225600125000000,'abc','null',1767225600125,0,0);
INSERT INTO "jobs" VALUES(9,'off','cancelled','{"state": "cancelled", "reason": "by its owner"}',1000,1,0,5,2,0,'tiny','exact_match','/home/incoming/off',0,8,4711,1767225600125000000,'abc','null',1767225600125,0,0);
CREATE TABLE mutations (
  id TEXT PRIMARY KEY,
  job INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "mutations" VALUES('m-1',1,1767225600125);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX jobs_by_name ON jobs (name);
CREATE INDEX jobs_by_source ON jobs (source_inode);
CREATE INDEX history_by_job ON history (job);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('jobs',9);
INSERT INTO "sqlite_sequence" VALUES('history',1);
COMMIT;
