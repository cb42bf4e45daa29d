-- Checkpoints in the layout of LangGraph (langgraph-checkpoint-postgres 3.1), so that its PostgresSaver can list and load these threads.
-- COLLATE "C" sorts ids by their bytes. LangGraph's three indexes on thread_id alone are omitted, because the primary keys start with it.
-- LangGraph does not have the column due: the next tasks as UTF-8 JSON. It is bytea, because jsonb cannot store the character \u0000, which
-- a model may write.
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

-- lz4 decompresses several times faster than the default, which remains in use if the server was built without lz4.
DO $$
BEGIN
    ALTER TABLE checkpoint_writes ALTER COLUMN blob SET COMPRESSION lz4;
    ALTER TABLE checkpoint_blobs ALTER COLUMN blob SET COMPRESSION lz4;
    ALTER TABLE checkpoints ALTER COLUMN due SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
