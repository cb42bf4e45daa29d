-- Checkpoints in LangGraph's layout (langgraph-checkpoint-postgres 3.1), so that its own PostgresSaver lists and loads our threads.
-- Ids sort by their bytes: COLLATE "C". LangGraph's three indexes on thread_id alone are left out, for the primary keys begin with it.
-- The column due is ours: the tasks that run next, as UTF-8 JSON (bytea, since jsonb takes no \u0000 and a model may write one).
CREATE TABLE checkpoint_migrations (
    v integer PRIMARY KEY
);

INSERT INTO checkpoint_migrations (v) SELECT generate_series(0, 9);

CREATE TABLE checkpoints (
    thread_id text COLLATE "C" NOT NULL,
    checkpoint_ns text COLLATE "C" NOT NULL DEFAULT '',
    checkpoint_id text COLLATE "C" NOT NULL,
    parent_checkpoint_id text COLLATE "C",
    type text,
    checkpoint jsonb NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    due bytea,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);

CREATE TABLE checkpoint_blobs (
    thread_id text COLLATE "C" NOT NULL,
    checkpoint_ns text COLLATE "C" NOT NULL DEFAULT '',
    channel text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    type text NOT NULL,
    blob bytea,
    PRIMARY KEY (thread_id, checkpoint_ns, channel, version)
);

CREATE TABLE checkpoint_writes (
    thread_id text COLLATE "C" NOT NULL,
    checkpoint_ns text COLLATE "C" NOT NULL DEFAULT '',
    checkpoint_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    idx integer NOT NULL,
    channel text COLLATE "C" NOT NULL,
    type text,
    blob bytea NOT NULL,
    task_path text NOT NULL DEFAULT '',
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);

-- lz4 unpacks several times faster than the default; a server built without it keeps that.
DO $$
BEGIN
    ALTER TABLE checkpoint_writes ALTER COLUMN blob SET COMPRESSION lz4;
    ALTER TABLE checkpoint_blobs ALTER COLUMN blob SET COMPRESSION lz4;
    ALTER TABLE checkpoints ALTER COLUMN due SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
