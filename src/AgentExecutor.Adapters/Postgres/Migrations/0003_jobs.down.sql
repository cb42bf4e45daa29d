DROP TABLE messages;
CREATE INDEX outbox_by_age ON outbox (created_at);
DROP INDEX outbox_announced;
DROP INDEX outbox_waiting;
ALTER TABLE outbox DROP COLUMN announced_at;
DROP INDEX threads_cancelled;
ALTER TABLE threads DROP COLUMN cancel_requested;
ALTER TABLE runs DROP COLUMN trace_parent;
ALTER TABLE runs DROP COLUMN request_hash;
