-- An index for listing threads page by page, by their end.
CREATE INDEX threads_ended ON threads (finished_at, thread_id) WHERE finished_at IS NOT NULL;
DROP INDEX threads_finished;
