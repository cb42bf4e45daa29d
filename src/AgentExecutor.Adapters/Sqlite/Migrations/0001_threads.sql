-- Threads: their runs, with the definitions that they execute, and their checkpoints. A row of spaces is one namespace of a thread.
CREATE TABLE definitions (
    hash TEXT NOT NULL PRIMARY KEY,
    json BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (
    thread_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    fence INTEGER NOT NULL,
    status TEXT NOT NULL,
    name TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    definition_hash TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    usage TEXT NOT NULL,
    failure TEXT,
    PRIMARY KEY (thread_id, run_id)
) WITHOUT ROWID;

CREATE INDEX runs_by_fence ON runs (thread_id, fence);

CREATE TABLE spaces (
    id INTEGER NOT NULL PRIMARY KEY,
    thread_id TEXT NOT NULL,
    ns TEXT NOT NULL,
    UNIQUE (thread_id, ns)
);

CREATE TABLE checkpoints (
    space_id INTEGER NOT NULL,
    checkpoint_id TEXT NOT NULL,
    parent_id TEXT,
    run_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    source TEXT NOT NULL,
    time TEXT NOT NULL,
    channels TEXT NOT NULL,
    due BLOB NOT NULL,
    PRIMARY KEY (space_id, checkpoint_id)
) WITHOUT ROWID;

-- Has row ids, because rows of several kilobytes then need less space.
CREATE TABLE channel_values (
    space_id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    version INTEGER NOT NULL,
    json BLOB NOT NULL,
    UNIQUE (space_id, channel, version)
);

CREATE TABLE writes (
    space_id INTEGER NOT NULL,
    checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    idx INTEGER NOT NULL,
    channel TEXT NOT NULL,
    json BLOB NOT NULL,
    UNIQUE (space_id, checkpoint_id, task_id, idx)
);
