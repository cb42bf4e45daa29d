-- Agent definitions as they were submitted, by the SHA-256 hash of their bytes.
CREATE TABLE definitions (
    hash text COLLATE "C" PRIMARY KEY,
    json bytea NOT NULL
);

-- The newest run of each thread in its current state, and the lease of the thread. Every step changes the row of its thread. No column that
-- a step changes is in an index, so the new version of the row stays on its page (a heap-only update). holder is the worker that acquired
-- the thread last; it holds the thread while is_held is true.
CREATE TABLE threads (
    thread_id text COLLATE "C" PRIMARY KEY,
    run_id text COLLATE "C" NOT NULL,
    fence bigint NOT NULL,
    holder text COLLATE "C" NOT NULL DEFAULT '',
    is_held boolean NOT NULL DEFAULT false,
    lease_until timestamptz,
    status text NOT NULL,
    attempt integer NOT NULL,
    last_sequence bigint NOT NULL,
    crashes integer NOT NULL DEFAULT 0,
    is_queued boolean NOT NULL DEFAULT false,
    concurrency_key text COLLATE "C",
    name text NOT NULL,
    trace_id text NOT NULL,
    definition_hash text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz,
    usage text NOT NULL,
    failure text
) WITH (fillfactor = 50);

CREATE INDEX threads_held ON threads (thread_id) WHERE is_held;
CREATE INDEX threads_held_by_key ON threads (concurrency_key) WHERE is_held AND concurrency_key IS NOT NULL;
CREATE INDEX threads_finished ON threads (finished_at) WHERE finished_at IS NOT NULL;

-- All runs: what was submitted, and how they ended. The row of a waiting run is its entry in the queue.
CREATE TABLE runs (
    thread_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    name text NOT NULL,
    trace_id text NOT NULL,
    definition_hash text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    usage text NOT NULL,
    failure text,
    is_queued boolean NOT NULL DEFAULT false,
    input bytea,
    priority smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9),
    due_at timestamptz NOT NULL DEFAULT now(),
    concurrency_key text COLLATE "C",
    concurrency_limit integer NOT NULL DEFAULT 1,
    PRIMARY KEY (thread_id, run_id)
);

CREATE INDEX runs_waiting ON runs (thread_id, due_at, run_id) WHERE status = 'pending' AND is_queued;
CREATE INDEX runs_due ON runs (priority, due_at) WHERE status = 'pending' AND is_queued AND concurrency_key IS NULL;
CREATE INDEX runs_due_by_key ON runs (concurrency_key, priority, due_at)
    WHERE status = 'pending' AND is_queued AND concurrency_key IS NOT NULL;

-- The event log, with one row per commit: a JSON array of events, the last of which has this sequence number.
CREATE TABLE events (
    thread_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    json bytea NOT NULL,
    PRIMARY KEY (thread_id, sequence)
);

-- The journal of tool calls with side effects. They are stored before they are made, and again with their outcome.
CREATE TABLE tool_calls (
    thread_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    checkpoint_ns text COLLATE "C" NOT NULL,
    tool text NOT NULL,
    call_id bytea NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    is_error boolean,
    output bytea,
    PRIMARY KEY (thread_id, task_id)
);

-- The outcomes of submitted runs, which a relay publishes. The thread and the sequence number identify an outcome, however often it is
-- published.
CREATE TABLE outbox (
    thread_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    json bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (thread_id, sequence)
);

CREATE INDEX outbox_by_age ON outbox (created_at);

DO $$
BEGIN
    ALTER TABLE events ALTER COLUMN json SET COMPRESSION lz4;
    ALTER TABLE tool_calls ALTER COLUMN output SET COMPRESSION lz4;
    ALTER TABLE outbox ALTER COLUMN json SET COMPRESSION lz4;
    ALTER TABLE runs ALTER COLUMN input SET COMPRESSION lz4;
    ALTER TABLE definitions ALTER COLUMN json SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
