-- The questions to persons and the calls of external tools for which runs wait, with their answers. due_at is the time at which the service
-- must do something: announce a question again, use the default answer, or pass a recorded answer to the run.
CREATE TABLE interrupts (
    thread_id text COLLATE "C" NOT NULL,
    interrupt_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    json bytea NOT NULL,
    escalation integer NOT NULL DEFAULT 0,
    due_at timestamptz,
    answer bytea,
    is_applied boolean NOT NULL DEFAULT false,
    asked_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    PRIMARY KEY (thread_id, interrupt_id)
);

-- Contains only what is to be done, so that a poll does not depend on the number of waiting runs.
CREATE INDEX interrupts_due ON interrupts (due_at) WHERE due_at IS NOT NULL;

-- Messages that leave with a step besides the outcome of the run, which a relay publishes.
CREATE TABLE notices (
    thread_id text COLLATE "C" NOT NULL,
    notice_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    json bytea NOT NULL,
    trace_parent text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    announced_at timestamptz,
    PRIMARY KEY (thread_id, notice_id)
);

CREATE INDEX notices_waiting ON notices (created_at) WHERE announced_at IS NULL;
CREATE INDEX notices_announced ON notices (announced_at) WHERE announced_at IS NOT NULL;

DO $$
BEGIN
    ALTER TABLE interrupts ALTER COLUMN json SET COMPRESSION lz4;
    ALTER TABLE interrupts ALTER COLUMN answer SET COMPRESSION lz4;
    ALTER TABLE notices ALTER COLUMN json SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;
