-- A finished run, and a thread that is being deleted, cannot become runnable. Constraints reject such changes. They are NOT VALID, so they
-- apply to rows that are written from now on, and no table is scanned while it is locked.
ALTER TABLE threads ADD COLUMN deletion_started_at timestamptz;
ALTER TABLE runs ADD COLUMN finished_at timestamptz;

-- In older versions of the program, a deletion holds its thread with a lease.
UPDATE threads SET is_held = false, lease_until = NULL, finished_at = NULL, deletion_started_at = now(),
    status = CASE WHEN status IN ('completed', 'failed', 'cancelled') THEN status ELSE 'cancelled' END
WHERE is_held AND holder = 'deleted';

ALTER TABLE threads
    ADD CONSTRAINT threads_held_is_running CHECK (NOT is_held OR status = 'running') NOT VALID,
    ADD CONSTRAINT threads_finished_stays CHECK (finished_at IS NULL OR status IN ('completed', 'failed', 'cancelled')) NOT VALID,
    ADD CONSTRAINT threads_deletion_stays CHECK (deletion_started_at IS NULL OR status IN ('completed', 'failed', 'cancelled')) NOT VALID;
ALTER TABLE runs ADD CONSTRAINT runs_finished_stays CHECK (finished_at IS NULL OR status IN ('completed', 'failed', 'cancelled')) NOT VALID;
