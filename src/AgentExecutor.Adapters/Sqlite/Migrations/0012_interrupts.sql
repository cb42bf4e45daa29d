-- The questions to persons and the calls of external tools for which runs wait, with their answers. due_at is the time at which the service
-- must do something: announce a question again, use the default answer, or pass a recorded answer to the run.
CREATE TABLE interrupts (
    thread_id TEXT NOT NULL,
    interrupt_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    json BLOB NOT NULL,
    escalation INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,
    answer BLOB,
    is_applied INTEGER NOT NULL DEFAULT 0,
    asked_at INTEGER NOT NULL,
    answered_at INTEGER,
    PRIMARY KEY (thread_id, interrupt_id)
) WITHOUT ROWID;

-- Contains only what is to be done, so that a poll does not depend on the number of waiting runs.
CREATE INDEX interrupts_due ON interrupts (due_at) WHERE due_at IS NOT NULL;

-- Messages that leave with a step besides the outcome of the run, which a relay publishes.
CREATE TABLE notices (
    id INTEGER PRIMARY KEY,
    thread_id TEXT NOT NULL,
    notice_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    json BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    announced_at INTEGER,
    UNIQUE (thread_id, notice_id)
);

CREATE INDEX notices_waiting ON notices (created_at) WHERE announced_at IS NULL;
CREATE INDEX notices_announced ON notices (announced_at) WHERE announced_at IS NOT NULL;
