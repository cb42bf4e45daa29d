-- The hash that distinguishes one request from another with the same ids, and the trace context of the request.
ALTER TABLE runs ADD COLUMN request_hash text NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN trace_parent text NOT NULL DEFAULT '';

-- True if there is a request to cancel the run. The worker that holds the thread looks for it. No step changes a column of the index.
ALTER TABLE threads ADD COLUMN cancel_requested boolean NOT NULL DEFAULT false;
CREATE INDEX threads_cancelled ON threads (holder) WHERE is_held AND cancel_requested;

-- The time at which a relay published the outcome.
ALTER TABLE outbox ADD COLUMN announced_at timestamptz;
CREATE INDEX outbox_waiting ON outbox (created_at) WHERE announced_at IS NULL;
CREATE INDEX outbox_announced ON outbox (announced_at) WHERE announced_at IS NOT NULL;
-- Contains all rows in the order in which the relay looks for the few unpublished ones, so the planner might use it.
DROP INDEX outbox_by_age;

-- The messages of the bus, if no other bus is configured: jobs, results and dead letters. A job is delivered again at due_at until it is
-- done.
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
