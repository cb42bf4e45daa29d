-- The event log, and the journal of tool calls with side effects.
CREATE TABLE events (
    thread_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    json BLOB NOT NULL,
    PRIMARY KEY (thread_id, sequence)
) WITHOUT ROWID;

CREATE TABLE tool_calls (
    thread_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    ns TEXT NOT NULL,
    tool TEXT NOT NULL,
    call_id TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    is_error INTEGER,
    output TEXT,
    PRIMARY KEY (thread_id, task_id)
) WITHOUT ROWID;
