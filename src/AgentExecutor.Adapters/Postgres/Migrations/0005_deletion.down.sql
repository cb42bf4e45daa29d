-- The previous version of the program cannot finish deletions that were started, so they are finished here.
DELETE FROM checkpoints WHERE thread_id IN (SELECT thread_id FROM threads WHERE deletion_started_at IS NOT NULL);
DELETE FROM checkpoint_blobs WHERE thread_id IN (SELECT thread_id FROM threads WHERE deletion_started_at IS NOT NULL);
DELETE FROM checkpoint_writes WHERE thread_id IN (SELECT thread_id FROM threads WHERE deletion_started_at IS NOT NULL);
DELETE FROM events WHERE thread_id IN (SELECT thread_id FROM threads WHERE deletion_started_at IS NOT NULL);
DELETE FROM tool_calls WHERE thread_id IN (SELECT thread_id FROM threads WHERE deletion_started_at IS NOT NULL);
DELETE FROM outbox WHERE thread_id IN (SELECT thread_id FROM threads WHERE deletion_started_at IS NOT NULL);
DELETE FROM budget_reservations WHERE thread_id IN (SELECT thread_id FROM threads WHERE deletion_started_at IS NOT NULL);
DELETE FROM runs WHERE thread_id IN (SELECT thread_id FROM threads WHERE deletion_started_at IS NOT NULL);
DELETE FROM threads WHERE deletion_started_at IS NOT NULL;

ALTER TABLE threads
    DROP CONSTRAINT threads_held_is_running,
    DROP CONSTRAINT threads_finished_stays,
    DROP CONSTRAINT threads_deletion_stays,
    DROP COLUMN deletion_started_at;
ALTER TABLE runs DROP CONSTRAINT runs_finished_stays, DROP COLUMN finished_at;
