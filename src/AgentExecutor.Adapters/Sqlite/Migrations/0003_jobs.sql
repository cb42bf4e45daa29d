-- Leases: the newest run of a thread contains the lease of the worker that executes it. A worker holds the thread while is_held is true;
-- holder is the worker that acquired it last. Times that are compared are milliseconds since 1970. job is the id of the row of jobs, or
-- null if the run was not submitted. No step of a running run changes a column of an index.
ALTER TABLE runs ADD COLUMN holder TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN is_held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN lease_until INTEGER;
ALTER TABLE runs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN cancel_requested INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN job INTEGER;
ALTER TABLE runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 5;
ALTER TABLE runs ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN concurrency_key TEXT;
ALTER TABLE runs ADD COLUMN concurrency_limit INTEGER NOT NULL DEFAULT 1;

DROP INDEX runs_by_fence;
CREATE INDEX runs_newest ON runs (thread_id, fence DESC, job);
CREATE INDEX runs_held ON runs (thread_id) WHERE is_held;
CREATE INDEX runs_held_by_key ON runs (concurrency_key) WHERE is_held AND concurrency_key IS NOT NULL;
CREATE INDEX runs_cancelled ON runs (holder) WHERE is_held AND cancel_requested;
CREATE INDEX runs_waiting ON runs (thread_id, due_at, job) WHERE status = 'pending' AND job IS NOT NULL;
CREATE INDEX runs_due ON runs (priority, due_at, job) WHERE status = 'pending' AND job IS NOT NULL AND concurrency_key IS NULL;
CREATE INDEX runs_due_by_key ON runs (concurrency_key, priority, due_at, job)
    WHERE status = 'pending' AND job IS NOT NULL AND concurrency_key IS NOT NULL;

-- What was submitted. It is stored apart from the run, because each step writes the row of the run again.
CREATE TABLE jobs (
    id INTEGER NOT NULL PRIMARY KEY,
    input BLOB NOT NULL,
    request_hash TEXT NOT NULL,
    trace_parent TEXT NOT NULL
);

-- The outcomes of submitted runs, which a relay publishes. The thread and the sequence number identify an outcome, however often it is
-- published. announced_at is the time at which it was published.
CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY,
    thread_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    status TEXT NOT NULL,
    json BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    announced_at INTEGER,
    UNIQUE (thread_id, run_id, sequence)
);

CREATE INDEX outbox_waiting ON outbox (created_at) WHERE announced_at IS NULL;
CREATE INDEX outbox_announced ON outbox (created_at) WHERE announced_at IS NOT NULL;

-- The messages of the bus: jobs, results and dead letters. due_at is the time at which a job is delivered again, or null if it is done.
-- AUTOINCREMENT ensures that no sequence number is used twice.
CREATE TABLE messages (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    message_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    headers TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    body BLOB NOT NULL
);

CREATE INDEX messages_by_stream ON messages (stream, sequence);
CREATE UNIQUE INDEX messages_by_id ON messages (stream, message_id) WHERE message_id <> '';
CREATE INDEX messages_by_age ON messages (stream, published_at);
CREATE INDEX messages_due ON messages (due_at) WHERE due_at IS NOT NULL;
