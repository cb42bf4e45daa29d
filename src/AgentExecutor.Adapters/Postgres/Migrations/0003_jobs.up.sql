-- Jobs: what tells one request from another, and the trace that it belongs to.
ALTER TABLE runs ADD COLUMN request_hash text NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN trace_parent text NOT NULL DEFAULT '';

-- Someone asked to cancel the run; whichever worker holds the thread looks for it. No step changes a column of the index.
ALTER TABLE threads ADD COLUMN cancel_requested boolean NOT NULL DEFAULT false;
CREATE INDEX threads_cancelled ON threads (holder) WHERE is_held AND cancel_requested;

-- Outcomes are announced by a relay.
ALTER TABLE outbox ADD COLUMN announced_at timestamptz;
CREATE INDEX outbox_waiting ON outbox (created_at) WHERE announced_at IS NULL;
CREATE INDEX outbox_announced ON outbox (announced_at) WHERE announced_at IS NOT NULL;
DROP INDEX outbox_by_age; -- it holds all rows in the order in which the relay looks for the few that wait

-- The bus, where no other is named: jobs, results and dead letters. A job is handed out until it is done, each time for a while.
CREATE TABLE messages (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL DEFAULT '',
    subject text COLLATE "C" NOT NULL,
    headers text NOT NULL,
    body bytea NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    is_done boolean NOT NULL DEFAULT false
);

CREATE INDEX messages_by_stream ON messages (stream, sequence);
CREATE UNIQUE INDEX messages_by_id ON messages (stream, message_id) WHERE message_id <> '';
CREATE INDEX messages_by_age ON messages (stream, published_at);
CREATE INDEX messages_due ON messages (due_at) WHERE stream = 'jobs' AND NOT is_done;

DO $$
BEGIN
    ALTER TABLE messages ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
