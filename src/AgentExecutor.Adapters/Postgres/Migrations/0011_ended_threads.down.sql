CREATE INDEX threads_finished ON threads (finished_at) WHERE finished_at IS NOT NULL;
DROP INDEX threads_ended;
